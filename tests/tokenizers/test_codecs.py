"""What holds of every codec, shown with small random ones."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.tokenizers.codec_files import SMALL, Clip, real_clips, write_small
from wavemill.errors import UsageError
from wavemill.specs import Spec
from wavemill.tokenizers import codec_files, make_tokenizer
from wavemill.tokenizers.base import Decoder, Tokenizer


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.place,)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: write_small(name, tmp_path_factory.mktemp(name)) for name in SMALL}


@pytest.fixture(scope="module", params=sorted(SMALL))
def codec(request: pytest.FixtureRequest, models: dict[str, str]) -> Tokenizer:
    return make(request.param, models[request.param])


def make(name: str, model: str, **settings: Any) -> Tokenizer:
    given = {"model": model, **settings}
    return make_tokenizer(Spec(name=name, settings=tuple((k, str(v)) for k, v in given.items())))


def clips_for(codec: Tokenizer) -> list[Clip]:
    return real_clips(codec.facts.sample_rate, 6)


def test_ids_fit_the_facts(codec: Tokenizer) -> None:
    for clip, codes in zip(clips_for(codec), codec.encode(clips_for(codec)), strict=True):
        assert codes.dtype == codec.facts.dtype
        assert codes.shape[1] == codec.facts.num_codebooks
        assert codes.max() < codec.facts.codebook_size
        assert codec.facts.frame_rate is not None
        seconds = len(clip) / codec.facts.sample_rate
        assert 0 <= len(codes) - seconds * codec.facts.frame_rate <= 1.01


@pytest.mark.parametrize("samples", [1, 319, 4000])
def test_silence_of_any_length_has_ids(codec: Tokenizer, samples: int) -> None:
    codes = codec.encode([np.zeros(samples, np.float32)])[0]
    assert len(codes) >= 1


def test_ids_become_audio_of_their_length(codec: Tokenizer) -> None:
    assert isinstance(codec, Decoder)
    codes = codec.encode([clips_for(codec)[2]])[0]
    audio = codec.decode(codes)
    assert audio.dtype == np.float32
    assert audio.ndim == 1
    assert np.isfinite(audio).all()
    assert codec.facts.frame_rate is not None
    assert len(audio) / codec.facts.sample_rate == pytest.approx(
        len(codes) / codec.facts.frame_rate
    )


def test_fewer_codebooks_are_the_first_ones(models: dict[str, str]) -> None:
    clip = real_clips(24_000, 3)[2]
    for name, setting, few, more in [
        ("encodec", "bandwidth", 1.5, 6.0),
        ("dac", "codebooks", 1, 4),
        ("mimi", "codebooks", 1, 8),
    ]:
        less = make(name, models[name], **{setting: few})
        full = make(name, models[name], **{setting: more})
        first = less.encode([clip])[0]
        assert np.array_equal(first, full.encode([clip])[0][:, : first.shape[1]])
        assert less.facts.weights_digest != full.facts.weights_digest


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("encodec", {"bandwidth": 7.0}, "bandwidth=7 is none of .*: 1.5, 3, 6, 12, 24"),
        ("encodec", {"bandwidth": 0.0}, "bandwidth=0 must be above 0"),
        ("dac", {"codebooks": 5}, "codebooks=5 is more than the 4 of"),
        ("dac", {"codebooks": 0}, "codebooks=0 must be 1 or more"),
        ("mimi", {"codebooks": 33}, "codebooks=33 must be 1 to 32"),
        ("mimi", {"codebooks": 0}, "codebooks=0 must be 1 or more"),
    ],
)
def test_codebooks_that_a_model_has_not_are_refused(
    models: dict[str, str], name: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make(name, models[name], **settings)


def test_another_codec_s_folder_is_refused(models: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="model_type 'dac', not 'mimi'"):
        make("mimi", models["dac"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("missing", "1 tensors are missing, such as"),
        ("shape", "1 tensors are of another shape, such as"),
        ("unknown", "1 tensors are unknown, such as surplus"),
    ],
)
def test_a_checkpoint_that_is_not_wholly_the_model_s_is_refused(
    models: dict[str, str], tmp_path: Path, change: str, words: str
) -> None:
    folder = Path(models["dac"])
    state = safetensors.torch.load_file(folder / "model.safetensors")
    if change == "missing":
        del state["encoder.conv1.bias"]
    elif change == "shape":
        state["encoder.conv1.bias"] = torch.zeros(3)
    else:
        state["surplus"] = torch.zeros(3)
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(UsageError, match=words) as caught:
        make("dac", str(tmp_path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["encodec", "dac", "mimi"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(
    name: str, models: dict[str, str], tmp_path: Path
) -> None:
    trap = tmp_path / "sprung"
    torch.save({"state_dict": {}, "trap": Trap(trap)}, tmp_path / "codec.pth")
    torch.save({"trap": Trap(trap)}, tmp_path / "pytorch_model.bin")
    config = (Path(models[name]) / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(config)
    for model in (tmp_path / "codec.pth", tmp_path):
        with pytest.raises(UsageError, match="holds more than tensors, and reading"):
            make(name, str(model))
    assert not trap.exists()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_without_transformers_the_error_says_how_to_get_it(
    name: str, models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"pip install 'wavemill\[codecs\]'"):
        make(name, models[name])


def test_a_broken_config_is_refused(models: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no .*config\.json: give a folder as the hub has it"):
        make("dac", str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        make("dac", str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "dac"}')
    with pytest.raises(UsageError, match=r"has no model\.safetensors or pytorch_model\.bin"):
        make("dac", str(tmp_path))
    weights = (Path(models["dac"]) / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    (tmp_path / "config.json").write_text('{"model_type": "dac", "codebook_size": "many"}')
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        make("dac", str(tmp_path))
    assert len(str(caught.value).splitlines()) == 1


def test_a_model_in_several_files_is_one(models: dict[str, str], tmp_path: Path) -> None:
    folder = Path(models["dac"])
    state = safetensors.torch.load_file(folder / "model.safetensors")
    places = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(state)}
    for place in set(places.values()):
        part = {name: tensor for name, tensor in state.items() if places[name] == place}
        safetensors.torch.save_file(part, tmp_path / place)
    (tmp_path / codec_files.HUB_INDEX).write_text(json.dumps({"weight_map": places}))
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert make("dac", str(tmp_path)).facts == make("dac", models["dac"]).facts


@pytest.mark.parametrize(
    ("name", "size"),
    [("dac", {"codebook_size": 131_072}), ("xcodec2", {"quantization_levels": [4] * 9})],
)
def test_a_codebook_too_large_for_uint16_is_refused(
    name: str, size: dict[str, Any], tmp_path: Path
) -> None:
    family, settings = SMALL[name]
    with pytest.raises(UsageError, match=r"a codebook of \d+ ids does not fit uint16") as caught:
        make(name, write_small(name, tmp_path, (family, settings | size)))
    assert len(str(caught.value).splitlines()) == 1
