"""The codec that ships: what it is, and that speech which it never heard comes back as speech."""

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.conftest import SPEECH
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Decoder, Tokenizer
from wavemill.tokenizers.features import log_mel
from wavemill.tokenizers.tiny import WEIGHTS, TinyConfig, TinyTokenizer

Clip = npt.NDArray[np.float32]
FLOOR = np.log(1e-4)


@pytest.fixture(scope="module")
def tokenizer() -> TinyTokenizer:
    return TinyTokenizer(TinyConfig())


@pytest.fixture(scope="module")
def speech() -> list[Clip]:
    paths = sorted((SPEECH / "audio").glob("*.flac"))[::6]
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


def distance(one: Clip, other: Clip) -> float:
    return float(np.abs(heard(one) - heard(other)).mean())


def heard(clip: Clip) -> npt.NDArray[np.float32]:
    return np.maximum(log_mel(clip), FLOOR)


def test_its_facts_are_those_of_its_card(tokenizer: TinyTokenizer) -> None:
    facts = tokenizer.facts
    assert isinstance(tokenizer, Tokenizer)
    assert isinstance(tokenizer, Decoder)
    assert (facts.name, facts.kind) == ("tiny", "tiny")
    assert (facts.sample_rate, facts.frame_rate) == (16_000, 50.0)
    assert (facts.num_codebooks, facts.codebook_size) == (6, 1024)
    assert facts.weights_digest in WEIGHTS.with_suffix(".md").read_text("utf-8")
    assert WEIGHTS.stat().st_size < 6e6


def test_speech_comes_back_as_speech_and_the_better_the_more_codebooks(
    tokenizer: TinyTokenizer, speech: list[Clip]
) -> None:
    few = TinyTokenizer(TinyConfig(codebooks=1))
    for clip in speech:
        codes = tokenizer.encode([clip])[0]
        decoded = tokenizer.decode(codes)[: len(clip)]
        assert len(decoded) == len(clip)
        rough = few.decode(codes[:, :1])[: len(clip)]
        assert distance(decoded, clip) < distance(rough, clip)
        assert distance(decoded, clip) < 0.5 * distance(np.zeros_like(clip), clip)


def test_fewer_codebooks_are_the_first_ones(tokenizer: TinyTokenizer, speech: list[Clip]) -> None:
    two = TinyTokenizer(TinyConfig(codebooks=2))
    assert (two.encode(speech[:1])[0] == tokenizer.encode(speech[:1])[0][:, :2]).all()
    assert two.facts.digest != tokenizer.facts.digest
    with pytest.raises(UsageError, match="give 1 to 6"):
        TinyTokenizer(TinyConfig(codebooks=7))
