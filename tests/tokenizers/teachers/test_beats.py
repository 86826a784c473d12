"""BEATs' encoder: openbeats' own features, out of Microsoft's files, clip by clip."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tokenizers.teachers import tiny
from wavemill.errors import UsageError
from wavemill.tokenizers.nearest import Nearest
from wavemill.tokenizers.teachers.base import Clip, Features, Teacher, TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher

pytest.importorskip("openbeats")


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return tiny.real_clips()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    place = tmp_path_factory.mktemp("beats") / "BEATs_iter9.pt"
    return place, tiny.beats_checkpoint(place, tiny.BEATS_SMALL)


def teacher(model: Path, layer: int | None = None) -> Teacher:
    return make_teacher(TeacherConfig(name="beats", model=str(model), layer=layer))


def reference(net: Any, clip: Clip, layer: int | None = None) -> Features:
    """What openbeats gives, as it masks and cuts."""
    wave = torch.from_numpy(clip)[None, :, None]
    mask = torch.zeros(1, len(clip), dtype=torch.bool)
    # It uses a name that torch calls old.
    with torch.inference_mode(), warnings.catch_warnings(action="ignore", category=FutureWarning):
        features: Features = net.extract_features(wave, mask, max_layer=layer)[0][0].numpy()
    return features


@pytest.mark.parametrize("layer", [None, 0, 1, 3])
def test_features_are_those_of_openbeats(
    small: tuple[Path, Any], clips: list[Clip], layer: int | None
) -> None:
    place, net = small
    made = teacher(place, layer)
    facts = made.facts
    assert isinstance(made, Teacher)
    assert (facts.kind, facts.sample_rate, facts.frame_rate, facts.dim) == (
        "beats", 16_000, 50.0, 32,
    )  # fmt: skip
    long_enough = [clip for clip in clips if len(clip) >= 3200]  # it repeats shorter ones
    assert len(long_enough) > 4
    for clip in long_enough:
        features = made.features(clip)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, reference(net, clip, layer), atol=1e-5)


@pytest.mark.slow
def test_features_of_the_released_size_are_those_of_openbeats(
    tmp_path: Path, clips: list[Clip]
) -> None:
    net = tiny.beats_checkpoint(tmp_path / "BEATs_iter3.pt", tiny.BEATS_RELEASED)
    features = teacher(tmp_path / "BEATs_iter3.pt").features(clips[0])
    np.testing.assert_allclose(features, reference(net, clips[0]), atol=1e-5)


def test_a_pre_norm_encoder_ends_with_its_norm_unless_a_layer_is_asked_for(
    tmp_path: Path, clips: list[Clip]
) -> None:
    cfg = {**tiny.BEATS_SMALL, "deep_norm": False, "layer_norm_first": True}
    net = tiny.beats_checkpoint(tmp_path / "model.pt", cfg)
    for layer in (None, 2, 3):
        features = teacher(tmp_path / "model.pt", layer).features(clips[0])
        np.testing.assert_allclose(features, reference(net, clips[0], layer), atol=1e-5)


def test_features_depend_on_the_clip_alone(small: tuple[Path, Any], clips: list[Clip]) -> None:
    made, other = teacher(small[0]), teacher(small[0])
    forwards = [made.features(clip) for clip in clips]
    backwards = [made.features(clip) for clip in clips[::-1]][::-1]
    for clip, one, two in zip(clips, forwards, backwards, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, other.features(clip))
        frames = 1 + (max(2800, len(clip)) - 400) // 160
        assert one.shape == (8 * (frames // 16), 32)
        assert np.isfinite(one).all()
    assert made.facts.digest == other.facts.digest
    digests = {teacher(small[0], layer).facts.digest for layer in (None, 1, 2)}
    assert len(digests) == 3


def test_a_long_clip_is_cut_and_most_units_stay_those_of_the_whole(
    small: tuple[Path, Any], clips: list[Clip]
) -> None:
    place, net = small
    speech = np.concatenate([clip for clip in clips if len(clip) > 5000])
    long = np.tile(speech, -(-16_000 * 45 // len(speech)))[: 16_000 * 45]
    features, whole = teacher(place).features(long), reference(net, long)
    assert features.shape == whole.shape
    drawn = np.random.default_rng(0).choice(len(whole), 100, replace=False)
    nearest = Nearest(torch.from_numpy(whole[drawn]))
    ids = [nearest.ids(torch.from_numpy(part)) for part in (features, whole)]
    # Seen with these random weights: features move by 1.3 % (median; up to 2.1 %), 1.2 % of 100
    # units change.
    apart = np.linalg.norm(features - whole, axis=1) / np.linalg.norm(whole, axis=1)
    assert np.median(apart) < 0.025
    assert float((ids[0] == ids[1]).double().mean()) > 0.97


def test_a_folder_with_one_checkpoint_will_do(small: tuple[Path, Any], tmp_path: Path) -> None:
    assert teacher(small[0].parent).facts.digest == teacher(small[0]).facts.digest
    with pytest.raises(UsageError, match="has 0 checkpoints: name the file"):
        teacher(tmp_path)


def test_espnet_s_nested_names_load(small: tuple[Path, Any], tmp_path: Path) -> None:
    content = torch.load(small[0], weights_only=True)
    nested = {f"encoder.{name}": part for name, part in content["model"].items()}
    torch.save({"cfg": content["cfg"], "model": nested}, tmp_path / "model.pth")
    assert teacher(tmp_path / "model.pth").facts.digest == teacher(small[0]).facts.digest


def damaged(small: tuple[Path, Any], place: Path, change: str) -> None:
    """Save a checkpoint with something wrong."""
    content = torch.load(small[0], weights_only=True)
    if change == "lacks a tensor":
        del content["model"]["encoder.layers.1.fc1.weight"]
    elif change == "another width":
        content["cfg"]["encoder_ffn_embed_dim"] = 48
    elif change == "no cfg":
        del content["cfg"]
    elif change == "patches":
        content["cfg"]["input_patch_size"] = 8
    elif change == "nonsense":
        content["cfg"]["encoder_layers"] = "three"
    torch.save(content, place)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("lacks a tensor", "lacks 1 tensors, encoder.layers.1.fc1.weight first"),
        ("another width", "does not fit its own cfg"),
        ("no cfg", "is no BEATs checkpoint: it lacks"),
        ("patches", "does not take patches of 16 x 16"),
        ("nonsense", "does not fit its own cfg"),
    ],
)
def test_a_wrong_checkpoint_is_one_clear_line(
    small: tuple[Path, Any], tmp_path: Path, change: str, words: str
) -> None:
    damaged(small, tmp_path / "model.pt", change)
    with pytest.raises(UsageError, match=words) as caught:
        teacher(tmp_path / "model.pt")
    assert "\n" not in str(caught.value)


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path) -> None:
    place = tmp_path / "code ran"
    torch.save({"cfg": tiny.Trap(place), "model": {}}, tmp_path / "model.pt")
    with pytest.raises(UsageError, match="reading that would run code"):
        teacher(tmp_path / "model.pt")
    assert not place.exists()


def test_wrong_settings_and_a_missing_package_are_one_line(
    small: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"layer=4, but .* has 3"):
        teacher(small[0], layer=4)
    with pytest.raises(UsageError, match="teacher beats needs a model"):
        make_teacher(TeacherConfig(name="beats"))
    monkeypatch.setitem(sys.modules, "openbeats.beats_encoder", None)
    with pytest.raises(UsageError, match=r"needs openbeats.beats_encoder .*\[units\]"):
        teacher(small[0])
