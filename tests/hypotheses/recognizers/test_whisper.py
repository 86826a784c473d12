"""Whisper by CTranslate2 and by transformers, small and with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers

from tests.hypotheses.recognizers import tiny_whisper
from tests.hypotheses.recognizers.heard import clip, hear, recognizer
from wavemill.errors import UsageError

Clip = npt.NDArray[np.float32]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whisper")
    tiny_whisper.make(place)
    return place


@pytest.fixture(scope="module")
def converted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("converted") / "whisper"
    tiny_whisper.convert(folder, place)
    return place


def test_scores_are_those_that_the_model_gives_and_the_best_comes_first(
    folder: Path, converted: Path
) -> None:
    heard = clip("calling")
    ours = hear(recognizer("whisper", model=converted, beam=8), heard)
    scores = [one.score for one in ours]
    assert len(ours) == 8
    assert scores == sorted(scores, reverse=True)
    for one in ours:
        assert one.units == len(one.text.split())
        assert one.log_probability == pytest.approx(given(folder, heard, one.text), abs=0.02)


def given(folder: Path, heard: Clip, text: str) -> float:
    """What the model itself gives a text and its end, where other special tokens cannot be."""
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    extractor: Any = transformers.WhisperFeatureExtractor(feature_size=80)
    features = extractor(heard, sampling_rate=16_000, return_tensors="pt").input_features
    known = [*tiny_whisper.SPECIAL, *tiny_whisper.WORDS]
    ids = [1, 2, *map(known.index, text.split()), 0]
    with torch.no_grad():
        logits = model(features, decoder_input_ids=torch.tensor([ids])).logits[0].clone()
    logits[:, [1, 2]] = -torch.inf
    chances = logits.log_softmax(-1)
    return sum(float(chances[place - 1, ids[place]]) for place in range(2, len(ids)))


def test_what_is_drawn_depends_on_the_seed_alone(converted: Path) -> None:
    drawing = recognizer("whisper", model=converted, samples=6)
    assert drawing.facts.draws
    heard = clip("calling")
    first = hear(drawing, heard, seed=1)
    assert hear(drawing, heard, seed=2) != first
    assert hear(drawing, heard, seed=1) == first
    beam = recognizer("whisper", model=converted)
    assert not beam.facts.draws
    assert beam.facts.digest != drawing.facts.digest


def test_what_transformers_draws_depends_on_the_seed_alone(folder: Path) -> None:
    drawing = recognizer("transformers", model=folder, samples=4, max_tokens=5)
    heard = clip("calling")
    first = hear(drawing, heard, seed=1)
    assert hear(drawing, heard, seed=2) != first
    assert hear(drawing, heard, seed=1) == first


def test_what_is_missing_is_told(converted: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no CTranslate2 Whisper model"):
        recognizer("whisper", model=tmp_path)
    (tmp_path / "model.bin").write_bytes((converted / "model.bin").read_bytes())
    (tmp_path / "vocabulary.json").write_bytes((converted / "vocabulary.json").read_bytes())
    (tmp_path / "config.json").write_bytes((converted / "config.json").read_bytes())
    with pytest.raises(UsageError, match=r"has no tokenizer\.json"):
        recognizer("whisper", model=tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        recognizer("whisper", model=tmp_path)
