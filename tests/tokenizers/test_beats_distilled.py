"""BEATs' later tokenizers: what the published code computes, with random weights in its layout."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.tokenizers.teachers import tiny
from tests.tokenizers.teachers.test_beats import reference as encoder_features
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Tokenizer
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.teachers.base import Clip

pytest.importorskip("openbeats")


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return tiny.real_clips()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    place = tmp_path_factory.mktemp("tokenizer") / "Tokenizer_iter9.pt"
    return place, tiny.beats_checkpoint(place, tiny.BEATS_SMALL, tokenizer=True)


def load(place: Path) -> BeatsTokenizer:
    return BeatsTokenizer(BeatsConfig(model=str(place)))


@torch.inference_mode()
def reference(net: Any, width: int, clip: Clip) -> list[int]:
    """The published steps one by one: encoder, projection, unit sphere, distances, argmin."""
    head = tiny.beats_head(width)
    layer = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 256))
    layer.load_state_dict(
        {
            name.removeprefix("quantize_layer."): part
            for name, part in head.items()
            if name.startswith("quantize_layer.")
        }
    )
    weight = head["quantize.embedding.weight"]
    z = functional.normalize(layer(torch.from_numpy(encoder_features(net, clip))), p=2, dim=-1)
    distance = z.pow(2).sum(1, keepdim=True) + weight.pow(2).sum(1) - 2 * z @ weight.T
    ids: list[int] = distance.argmin(dim=1).tolist()
    return ids


def test_ids_are_those_of_the_published_steps(small: tuple[Path, Any], clips: list[Clip]) -> None:
    place, net = small
    made = load(place)
    facts = made.facts
    assert isinstance(made, Tokenizer)
    assert (facts.kind, facts.sample_rate, facts.frame_rate) == ("beats", 16_000, 50.0)
    assert (facts.num_codebooks, facts.codebook_size) == (1, 1024)
    long_enough = [clip for clip in clips if len(clip) >= 3200]
    for clip, codes in zip(long_enough, made.encode(long_enough), strict=True):
        assert codes.dtype == np.uint16
        assert codes[:, 0].tolist() == reference(net, 32, clip)
    assert len(np.unique(np.concatenate(made.encode(clips)))) > 20


@pytest.mark.slow
def test_ids_of_the_released_size_are_those_of_the_published_steps(
    tmp_path: Path, clips: list[Clip]
) -> None:
    place = tmp_path / "Tokenizer_iter3.pt"
    net = tiny.beats_checkpoint(place, tiny.BEATS_RELEASED, tokenizer=True)
    (codes,) = load(place).encode(clips[:1])
    assert codes[:, 0].tolist() == reference(net, 768, clips[0])


def test_a_clip_has_the_same_ids_alone_in_a_batch_and_in_another_order(
    small: tuple[Path, Any], clips: list[Clip]
) -> None:
    made = load(small[0])
    together = made.encode(clips)
    backwards = made.encode(clips[::-1])[::-1]
    first = BeatsTokenizer(BeatsConfig()).encode(clips)
    for clip, one, other, random in zip(clips, together, backwards, first, strict=True):
        assert np.array_equal(made.encode([clip])[0], one)
        assert np.array_equal(one, other)
        assert one.shape == random.shape


@pytest.mark.slow
def test_another_process_gives_the_same_ids_and_facts(
    small: tuple[Path, Any], clips: list[Clip], tmp_path: Path
) -> None:
    made = load(small[0])
    np.save(tmp_path / "clip.npy", clips[0])
    program = (
        "import sys, numpy; from wavemill.tokenizers.beats import *;"
        "made = BeatsTokenizer(BeatsConfig(model=sys.argv[1]));"
        "codes = made.encode([numpy.load(sys.argv[2])])[0];"
        "print(codes[:, 0].tolist(), made.facts.digest)"
    )
    expected = f"{made.encode([clips[0]])[0][:, 0].tolist()} {made.facts.digest}"
    assert tiny.in_another_process(program, small[0], tmp_path / "clip.npy") == expected


def test_the_digest_follows_the_weights(small: tuple[Path, Any], tmp_path: Path) -> None:
    content = torch.load(small[0], weights_only=True)
    content["model"]["quantize_layer.2.bias"] += 1
    torch.save(content, tmp_path / "other.pt")
    digests = {load(place).facts.digest for place in (small[0], tmp_path / "other.pt")}
    assert len(digests | {BeatsTokenizer(BeatsConfig()).facts.digest}) == 3


def test_the_first_iteration_s_digest_is_as_it_was() -> None:
    assert BeatsTokenizer(BeatsConfig()).facts.weights_digest == "43297fd453c411c5"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("quantize.embedding.weight", None, "has no codebook .* not an encoder's"),
        ("quantize_layer.2.bias", None, "lacks quantize_layer.2.bias"),
        ("quantize_layer.2.weight", torch.zeros(256, 8), r"must be \(256, 32\); got \(256, 8\)"),
        ("quantize.embedding.initted", torch.zeros(1), "was never trained"),
        ("encoder.layers.0.fc2.bias", None, "lacks 1 tensors, encoder.layers.0.fc2.bias first"),
    ],
)
def test_a_wrong_checkpoint_is_one_clear_line(
    small: tuple[Path, Any], tmp_path: Path, name: str, value: torch.Tensor | None, words: str
) -> None:
    content = torch.load(small[0], weights_only=True)
    if value is None:
        del content["model"][name]
    else:
        content["model"][name] = value
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(UsageError, match=words) as caught:
        load(tmp_path / "model.pt")
    assert "\n" not in str(caught.value)


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path) -> None:
    place = tmp_path / "code ran"
    torch.save({"cfg": tiny.Trap(place), "model": {}}, tmp_path / "model.pt")
    with pytest.raises(UsageError, match="reading that would run code"):
        load(tmp_path / "model.pt")
    assert not place.exists()


def test_wrong_settings_and_a_missing_package_are_one_line(
    small: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="seed=3 draws random weights"):
        BeatsConfig(seed=3, model="x.pt")
    with pytest.raises(UsageError, match=r"beats: there is no file or folder absent.pt"):
        load(Path("absent.pt"))
    monkeypatch.setitem(sys.modules, "openbeats.beats_encoder", None)
    with pytest.raises(UsageError, match=r"beats needs openbeats.beats_encoder .*\[units\]"):
        load(small[0])
