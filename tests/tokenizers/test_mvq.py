"""The `mvq` tokenizer: its contract, the shipped quantizer, and models that it must refuse."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multi_quantization import Quantizer

from tests.tokenizers.teachers import tiny
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Tokenizer
from wavemill.tokenizers.features import FEATURE_KIND, log_mel, num_frames
from wavemill.tokenizers.fit_mvq import FitMvqConfig, FittedMvq, fit_from_clips, save_model
from wavemill.tokenizers.mvq import DEFAULT_WEIGHTS, MvqConfig, MvqTokenizer
from wavemill.tokenizers.quantizer import DirectSumQuantizer
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher

SPEECH = Path(__file__).parents[2] / "examples/speech/audio"
Clip = np.ndarray[tuple[int], np.dtype[np.float32]]


@pytest.fixture(scope="module")
def tokenizer() -> MvqTokenizer:
    return MvqTokenizer(MvqConfig())


@pytest.fixture(scope="module")
def speech() -> list[Clip]:
    paths = sorted(SPEECH.glob("*.flac"))[:20]
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


def noise(samples: int, seed: int = 0) -> Clip:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(samples)).astype(np.float32)


def model(dim: int = 80, codebooks: int = 2, features: str = FEATURE_KIND) -> FittedMvq:
    quantizer = DirectSumQuantizer(dim, codebooks, 256, torch.Generator().manual_seed(5))
    quantizer.stamp()
    return FittedMvq(quantizer, torch.zeros(dim), torch.ones(dim), {"features": features})


def test_the_facts_are_those_of_the_shipped_quantizer(tokenizer: MvqTokenizer) -> None:
    facts = tokenizer.facts
    assert isinstance(tokenizer, Tokenizer)
    assert (facts.name, facts.kind) == ("mvq", "mvq")
    assert (facts.sample_rate, facts.frame_rate) == (16_000, 100.0)
    assert (facts.num_codebooks, facts.codebook_size) == (4, 256)
    assert facts.dtype == np.uint8
    card = json.loads(DEFAULT_WEIGHTS.with_suffix(".json").read_text("utf-8"))
    assert card["id"] == tokenizer.model.quantizer.id
    assert DEFAULT_WEIGHTS.stat().st_size < 700_000


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(1, 40_000), seed=st.integers(0, 1000))
def test_a_clip_of_any_length_gives_a_row_a_frame(samples: int, seed: int) -> None:
    tokenizer = MvqTokenizer(MvqConfig(refinements=1))
    (codes,) = tokenizer.encode([noise(samples, seed)])
    assert codes.shape == (num_frames(samples), 4)
    assert codes.dtype == np.uint8


def test_a_clip_has_the_same_codes_alone_in_a_batch_and_in_another_order(
    tokenizer: MvqTokenizer,
) -> None:
    clips = [noise(samples, samples) for samples in (1, 80, 161, 5000, 16_000, 100_003)]
    together = tokenizer.encode(clips)
    backwards = tokenizer.encode(clips[::-1])[::-1]
    for clip, one, other in zip(clips, together, backwards, strict=True):
        assert np.array_equal(tokenizer.encode([clip])[0], one)
        assert np.array_equal(one, other)


def test_another_process_gives_the_same_codes_and_facts(tokenizer: MvqTokenizer) -> None:
    program = (
        "import numpy as np; from wavemill.tokenizers.mvq import *;"
        "made = MvqTokenizer(MvqConfig());"
        "clip = (0.1 * np.random.default_rng(7).standard_normal(30000)).astype(np.float32);"
        "print(made.encode([clip])[0].tolist(), made.facts.digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    (codes,) = tokenizer.encode([noise(30_000, 7)])
    assert done.stdout.strip() == f"{codes.tolist()} {tokenizer.facts.digest}"


@pytest.mark.parametrize("refinements", [0, 1, 5])
def test_codes_of_speech_equal_those_of_the_published_package(
    speech: list[Clip], refinements: int
) -> None:
    tokenizer = MvqTokenizer(MvqConfig(refinements=refinements))
    reference = Quantizer(80, 256, 4)
    reference.load_state_dict(tokenizer.model.quantizer.state_dict())
    features = np.concatenate([log_mel(clip) for clip in speech])[:2000]
    assert len(features) == 2000
    codes = tokenizer.model.encode(features, refinements)
    x = (torch.from_numpy(features) - tokenizer.model.mean) / tokenizer.model.std
    with torch.no_grad():
        expected = torch.cat([reference.encode(part, refinements) for part in x.split(64)])
    assert np.array_equal(codes, expected.numpy())


def test_codes_of_speech_stand_for_its_spectrum_and_use_the_codebooks(
    tokenizer: MvqTokenizer, speech: list[Clip]
) -> None:
    codes = np.concatenate(tokenizer.encode(speech))
    features = np.concatenate([log_mel(clip) for clip in speech])
    scale = tokenizer.model.std.numpy()
    error = ((tokenizer.model.decode(codes.astype(np.uint8)) - features) / scale) ** 2
    spread = ((features - features.mean(axis=0)) / scale) ** 2
    assert error.sum() < 0.1 * spread.sum()
    for column in codes.T:
        shares = np.bincount(column, minlength=256) / len(column)
        entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
        assert np.exp(entropy) > 50


def test_the_digest_follows_the_weights_and_the_refinements(tmp_path: Path) -> None:
    save_model(str(tmp_path / "a"), model())
    save_model(str(tmp_path / "b"), model(codebooks=4))
    configs = [
        MvqConfig(),
        MvqConfig(refinements=4),
        MvqConfig(model=str(tmp_path / "a")),
        MvqConfig(model=str(tmp_path / "b")),
    ]
    assert len({MvqTokenizer(config).facts.weights_digest for config in configs}) == 4
    renamed = MvqTokenizer(MvqConfig(name="other"))
    assert renamed.facts.weights_digest == MvqTokenizer(MvqConfig()).facts.weights_digest
    assert renamed.facts.name == "other"


def test_the_default_s_digest_is_as_it_was(tokenizer: MvqTokenizer) -> None:
    assert tokenizer.facts.weights_digest == "84af5e5d4fd3098b"


def test_a_saved_model_gives_the_same_codes_and_id(tmp_path: Path) -> None:
    made = model()
    save_model(str(tmp_path / "model"), made)
    loaded = MvqTokenizer(MvqConfig(model=str(tmp_path / "model")))
    (codes,) = loaded.encode([noise(8000)])
    expected = made.quantizer.encode(torch.from_numpy(log_mel(noise(8000))))
    assert np.array_equal(codes, expected.numpy())
    assert loaded.model.quantizer.id == made.quantizer.id
    assert len(loaded.model.quantizer.id) == 8


@pytest.mark.parametrize("refinements", [-1, 6])
def test_refinements_outside_0_to_5_are_refused(refinements: int) -> None:
    with pytest.raises(UsageError, match=f"refinements={refinements} must be 0 to 5"):
        MvqConfig(refinements=refinements)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        MvqTokenizer(MvqConfig(model=str(tmp_path / "absent")))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_that_lacks_a_file_is_refused(tmp_path: Path, name: str) -> None:
    save_model(str(tmp_path), model())
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=name):
        MvqTokenizer(MvqConfig(model=str(tmp_path)))


@pytest.mark.parametrize("config", ["{", "[]", '{"features": "wavlm-large-21"}'])
def test_a_model_of_other_features_is_refused(tmp_path: Path, config: str) -> None:
    save_model(str(tmp_path), model())
    (tmp_path / "config.json").write_text(config, "utf-8")
    with pytest.raises(UsageError, match=r"config\.json"):
        MvqTokenizer(MvqConfig(model=str(tmp_path)))


def test_a_model_of_another_width_is_refused(tmp_path: Path) -> None:
    save_model(str(tmp_path), model(dim=64))
    with pytest.raises(UsageError, match="takes 64 features, not the 80"):
        MvqTokenizer(MvqConfig(model=str(tmp_path)))


@pytest.fixture(scope="module")
def on_hubert(tmp_path_factory: pytest.TempPathFactory, speech: list[Clip]) -> Path:
    """A quantizer of a small HuBERT's first layer, with the HuBERT beside it."""
    place = tmp_path_factory.mktemp("hubert")
    tiny.speech_encoder(place / "hubert", "hubert")
    teacher = make_teacher(TeacherConfig(name="hubert", model=str(place / "hubert"), layer=1))
    config = FitMvqConfig(codebooks=2, iterations=(8, 8), batch_frames=100)
    clips = [noise(16_000, seed) for seed in range(40)]
    save_model(str(place / "model"), fit_from_clips([*speech, *clips], config, teacher=teacher))
    return place


def test_a_model_on_a_teacher_quantizes_that_teacher_s_features(
    on_hubert: Path, speech: list[Clip]
) -> None:
    made = MvqTokenizer(MvqConfig(model=str(on_hubert / "model")))
    assert (made.facts.frame_rate, made.facts.num_codebooks) == (50.0, 2)
    assert (made.teacher.config.name, made.teacher.config.layer) == ("hubert", 1)
    clips = [*speech[:4], noise(1), np.zeros(3000, np.float32)]
    together = made.encode(clips)
    backwards = made.encode(clips[::-1])[::-1]
    for clip, one, other in zip(clips, together, backwards, strict=True):
        assert np.array_equal(one, made.model.encode(made.teacher.features(clip), 5))
        assert np.array_equal(one, other)
    digests = {made.facts.weights_digest, MvqTokenizer(MvqConfig()).facts.weights_digest}
    assert len(digests) == 2


def test_a_published_file_is_used_with_the_teacher_that_the_user_names(
    on_hubert: Path, speech: list[Clip], tmp_path: Path
) -> None:
    fitted = MvqTokenizer(MvqConfig(model=str(on_hubert / "model")))
    state = fitted.model.quantizer.state_dict()
    content = {"quantizer": state, "mean": fitted.model.mean, "std": fitted.model.std}
    torch.save(content, tmp_path / "quantizer.pt")
    settings = {"teacher": "hubert", "teacher_model": str(on_hubert / "hubert"), "layer": 1}
    config = MvqConfig(model=str(tmp_path / "quantizer.pt"), **settings)  # type: ignore[arg-type]
    made = MvqTokenizer(config)
    assert made.facts.weights_digest == fitted.facts.weights_digest
    assert np.array_equal(made.encode(speech[:1])[0], fitted.encode(speech[:1])[0])
    with pytest.raises(UsageError, match="does not say which features it quantizes"):
        MvqTokenizer(MvqConfig(model=str(tmp_path / "quantizer.pt")))


def test_another_teacher_layer_or_weights_than_it_was_fitted_on_are_refused(
    on_hubert: Path, tmp_path: Path
) -> None:
    model = str(on_hubert / "model")
    with pytest.raises(UsageError, match="fitted on teacher 'hubert', not 'logmel'"):
        MvqTokenizer(MvqConfig(model=model, teacher="logmel"))
    with pytest.raises(UsageError, match=r"features must be .* fit it again"):
        MvqTokenizer(MvqConfig(model=model, layer=2))
    tiny.speech_encoder(tmp_path, "hubert", intermediate_size=48)
    with pytest.raises(UsageError, match=r"features must be .* fit it again"):
        MvqTokenizer(MvqConfig(model=model, teacher_model=str(tmp_path)))
    with pytest.raises(UsageError, match="the quantizer that ships is one of log-mel"):
        MvqConfig(teacher="hubert", teacher_model=str(on_hubert / "hubert"))
