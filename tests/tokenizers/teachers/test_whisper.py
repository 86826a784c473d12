"""Whisper's encoder: of transformers' models, and of CTranslate2's."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from tests.tokenizers.teachers import tiny
from wavemill.errors import UsageError
from wavemill.tokenizers.teachers.base import Clip, Features, Teacher, TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whisper")
    tiny.whisper(place)
    return place


def teacher(folder: Path, layer: int | None = None) -> Teacher:
    return make_teacher(TeacherConfig(name="whisper", model=str(folder), layer=layer))


def reference(folder: Path, clip: Clip) -> Features:
    """The encoder's 1500 features of a clip of at most 30 s, as transformers gives them."""
    model: Any = transformers.WhisperModel.from_pretrained(folder).eval()
    extractor = transformers.WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    mel = extractor(clip, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        features: Features = model.encoder(mel).last_hidden_state[0].numpy()
    return features


def test_features_are_the_encoder_s_cut_to_the_clip_s_length(folder: Path) -> None:
    made = teacher(folder)
    facts = made.facts
    assert isinstance(made, Teacher)
    assert (facts.kind, facts.sample_rate, facts.frame_rate, facts.dim) == (
        "whisper", 16_000, 50.0, 32,
    )  # fmt: skip
    for clip in tiny.real_clips(2):
        features = made.features(clip)
        assert len(features) == max(1, round(len(clip) / 320 + 1e-9))
        np.testing.assert_allclose(features, reference(folder, clip)[: len(features)], atol=1e-5)


def test_features_depend_on_the_clip_alone(folder: Path) -> None:
    clips = tiny.real_clips(2)
    made = teacher(folder)
    forwards = [made.features(clip) for clip in clips]
    backwards = [made.features(clip) for clip in clips[::-1]][::-1]
    other = teacher(folder)
    for clip, one, two in zip(clips, forwards, backwards, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, other.features(clip))


@pytest.mark.parametrize("tail", [1, 159, 160, 480_000])
def test_a_long_clip_s_features_are_those_of_its_pieces_of_30_s(folder: Path, tail: int) -> None:
    made = teacher(folder)
    clip = np.random.default_rng(tail).normal(0, 0.1, 480_000 + tail).astype(np.float32)
    features = made.features(clip)
    assert np.array_equal(features[:1500], made.features(clip[:480_000]))
    if tail < 160:
        assert len(features) == 1500
    else:
        assert np.array_equal(features[1500:], made.features(clip[480_000:]))


def test_a_layer_is_what_its_block_gives(folder: Path) -> None:
    clip = tiny.real_clips(1)[0]
    model: Any = transformers.WhisperModel.from_pretrained(folder).eval()
    seen: list[Any] = []
    model.encoder.layers[0].register_forward_hook(lambda _, __, output: seen.append(output))
    extractor = transformers.WhisperFeatureExtractor()
    mel = extractor(clip, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        model.encoder(mel)
    output = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    features = teacher(folder, layer=1).features(clip)
    np.testing.assert_allclose(features, output.view(1500, 32)[: len(features)], atol=1e-5)
    digests = {teacher(folder, layer).facts.digest for layer in (None, 0, 1, 2)}
    assert len(digests) == 4


def test_wrong_models_are_refused(folder: Path, tmp_path: Path) -> None:
    tiny.speech_encoder(tmp_path / "hubert", "hubert")
    with pytest.raises(UsageError, match="type 'hubert', not whisper"):
        teacher(tmp_path / "hubert")
    with pytest.raises(UsageError, match=r"layer=3, but .* has 2"):
        teacher(folder, layer=3)
    with pytest.raises(UsageError, match="teacher whisper needs a model"):
        make_teacher(TeacherConfig(name="whisper"))


def test_a_ctranslate2_folder_needs_that_package_or_a_whole_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(UsageError, match="is no CTranslate2 Whisper model"):
        teacher(tmp_path)
    with pytest.raises(UsageError, match=r"layer=1, but .* is a CTranslate2 model"):
        teacher(tmp_path, layer=1)
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(UsageError, match=r"needs ctranslate2 .*pip install 'wavemill\[whisper\]'"):
        teacher(tmp_path)


def test_a_converted_model_gives_nearly_the_same_features(folder: Path, tmp_path: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder)).convert(str(tmp_path / "converted"))
    made = teacher(tmp_path / "converted")
    assert made.facts.dim == 32
    for clip in tiny.real_clips(2):
        expected = teacher(folder).features(clip)
        np.testing.assert_allclose(made.features(clip), expected, atol=1e-3)
