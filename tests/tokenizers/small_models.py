"""A small tokenizer of random weights for every name in the table, and clips to encode."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tokenizers.codec_files import SMALL, Clip, real_clips, write_small
from tests.tokenizers.hubert_files import SETTINGS, write_hubert, write_units
from tests.tokenizers.random_models import write_model
from tests.tokenizers.teachers import tiny
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.base import TimedTokenizer, Tokenizer
from wavemill.tokenizers.codec_layouts import ENCODEC_48KHZ
from wavemill.tokenizers.fit_kmeans import FitKmeansConfig, fit_from_clips, save_model
from wavemill.tokenizers.seanet.codec import SeanetCodec
from wavemill.tokenizers.seanet.sizes import CodecSizes
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher
from wavemill.tokenizers.trained_codec import NETWORK

Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SmallModel:
    """How a tokenizer is made, and how its long clips are cut."""

    write: Callable[[Path], Settings]
    """Writes its files into a folder; gives the settings to build it from them."""
    has_files: bool = True
    """Whether there are any: weights that are inside or drawn cannot be damaged."""
    blocks: Mapping[str, int] = field(default_factory=dict)
    """`module.NAME` of wavemill.tokenizers -> a value that makes blocks of some seconds."""
    whole: Settings = field(default_factory=dict)
    """Settings that run a clip at once, where endless blocks are not all it takes."""
    most_changed: float = 0.0
    """The share of ids that cutting changes at most; 0 where it is exact."""


def codec(name: str, **settings: Any) -> Callable[[Path], Settings]:
    """Write a codec as the hub has it."""

    def write(folder: Path) -> Settings:
        family, shape = SMALL[name]
        return {"model": write_small(name, folder, (family, shape | settings))}

    return write


def _dac(folder: Path) -> Settings:
    return {"model": write_small("dac", folder), "codebooks": 3}


def _xcodec2(folder: Path) -> Settings:
    """Write X-Codec 2 and move what its quantizer takes to where its levels are."""
    import transformers

    model = transformers.Xcodec2Model.from_pretrained(write_small("xcodec2", folder)).eval()
    extractor = transformers.Xcodec2FeatureExtractor()
    heard: list[torch.Tensor] = []
    hook = model.quantizer.project_in.register_forward_hook(lambda *given: heard.append(given[2]))
    with torch.inference_mode():
        for clip in real_clips(16_000, 6):
            model.encode(**extractor(clip, sampling_rate=16_000, return_tensors="pt"))
    hook.remove()
    levels_TL = torch.cat([part[0] for part in heard])
    scale = 1.5 / levels_TL.std(dim=0)
    state = load_file(folder / "model.safetensors")
    weight, bias = "quantizer.project_in.weight", "quantizer.project_in.bias"
    state[weight] *= scale[:, None]
    state[bias] = (state[bias] - levels_TL.mean(dim=0)) * scale
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return {"model": folder}


def _random(name: str) -> Callable[[Path], Settings]:
    def write(folder: Path) -> Settings:
        write_model(name, folder, small=True)
        return {"model": folder}

    return write


def _beats_distilled(folder: Path) -> Settings:
    place = folder / "Tokenizer_iter9.pt"
    tiny.beats_checkpoint(place, tiny.BEATS_SMALL, tokenizer=True)
    return {"model": place}


def _kmeans(folder: Path) -> Settings:
    tiny.speech_encoder(folder / "hubert", "hubert")
    teacher = make_teacher(TeacherConfig(name="hubert", model=str(folder / "hubert"), layer=2))
    units = FitKmeansConfig(units=40, iterations=5)
    save_model(str(folder / "model"), fit_from_clips(tiny.real_clips(), units, teacher))
    return {"model": folder / "model"}


def _sylber(folder: Path) -> Settings:
    write_hubert(folder / "hubert")
    write_units(folder / "units.safetensors")
    files = {"model": folder / "hubert", "units": folder / "units.safetensors"}
    return {**files, **SETTINGS, "max_seconds": 10.0}


def _trained_codec(folder: Path) -> Settings:
    torch.manual_seed(0)
    sizes = CodecSizes(filters=4, ratios="4x5x4x4", dim=8, codebooks=3, codebook_size=16)
    codec = SeanetCodec(sizes)
    with torch.no_grad():
        heard = [codec.latents(torch.from_numpy(clip)[None])[0] for clip in real_clips(16_000, 6)]
        drawn_TD = torch.cat(heard)[torch.randint(0, sum(map(len, heard)), (16,))]
        books = codec.quantizer.get_submodule("books").get_buffer("entries")
        for book in range(3):
            books[book] = (drawn_TD - drawn_TD.mean(0) * (book > 0)) * 0.5**book
    state = {NETWORK + name: tensor.contiguous() for name, tensor in codec.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    content = {"recipe": "codec", "config": asdict(sizes)}
    (folder / "model.json").write_text(json.dumps(content))
    return {"model": folder / "model.safetensors"}


MODELS: dict[str, SmallModel] = {
    "beats": SmallModel(
        write=lambda _: {"seed": 3},
        has_files=False,
        blocks={"beats.BLOCK_PATCHES": 80, "beats_fbank.BLOCK_FRAMES": 160},
    ),
    "beats/distilled": SmallModel(
        write=_beats_distilled,
        blocks={
            "beats_encoder.WINDOW_STEPS": 40,
            "beats_encoder.CONTEXT_STEPS": 5,
            "beats_fbank.BLOCK_FRAMES": 160,
            "nearest._CHUNK_SCORES": 65_536,
        },
        most_changed=0.1,
    ),
    "codec": SmallModel(write=_trained_codec, blocks={"trained_codec.BLOCK_FRAMES": 50}),
    "dac": SmallModel(write=_dac, blocks={"dac.BLOCK_STEPS": 50}),
    "encodec": SmallModel(
        write=codec("encodec"),
        blocks={"causal_blocks.BLOCKS_A_PIECE": 2, "causal_blocks.FRAMES_A_BLOCK": 40},
    ),
    "encodec/48khz": SmallModel(write=codec("encodec", **ENCODEC_48KHZ)),
    "gfsq": SmallModel(write=_random("gfsq"), blocks={"gfsq.BLOCK_STEPS": 43}),
    "kmeans": SmallModel(
        write=_kmeans,
        blocks={
            "teachers.transformers_encoder.WINDOW_SECONDS": 6,
            "teachers.transformers_encoder.CONTEXT_SECONDS": 1,
            "hubert_long.CHUNK_FRAMES": 100,
        },
        most_changed=0.01,
    ),
    "mimi": SmallModel(write=codec("mimi"), blocks={"mimi.FRAMES_A_BLOCK": 5}),
    "mvq": SmallModel(
        write=lambda _: {},
        has_files=False,
        blocks={"features._CHUNK_FRAMES": 64, "quantizer._CHUNK_SCORES": 65_536},
    ),
    "sq": SmallModel(write=_random("sq"), blocks={"sq.BLOCK_STEPS": 71}),
    "sylber": SmallModel(
        write=_sylber,
        blocks={"hubert_long.CHUNK_FRAMES": 100},
        whole={"max_seconds": 60.0},
        most_changed=0.02,
    ),
    "tiny": SmallModel(
        write=lambda _: {}, blocks={"trained_codec.BLOCK_FRAMES": 50}, has_files=False
    ),
    "xcodec2": SmallModel(
        write=_xcodec2,
        blocks={"xcodec2.WINDOW_STEPS": 250, "xcodec2.CONTEXT_STEPS": 50},
        most_changed=0.1,
    ),
}
"""Name in the table, and after a slash what is special -> model."""


def make(label: str, settings: Settings) -> Tokenizer:
    """Build a tokenizer by its label above."""
    given = tuple((key, str(value)) for key, value in settings.items())
    return make_tokenizer(Spec(name=label.partition("/")[0], settings=given))


LABELS = pytest.mark.parametrize("label", MODELS)


@cache
def mixed_clips(sample_rate: int) -> list[Clip]:
    """Cut 64 stretches of speech and of other sounds, of one sample to three seconds."""
    random = np.random.default_rng(0)
    clips = [clip for clip in real_clips(sample_rate, 32) for _ in range(2)][:64]
    lengths = np.geomspace(1, 3 * sample_rate, len(clips)).astype(int)
    cut = []
    for clip, length in zip(
        random.permutation(np.array(clips, dtype=object)), lengths, strict=True
    ):
        whole = np.tile(clip, -(-int(length) // len(clip)))
        start = int(random.integers(len(whole) - length + 1))
        cut.append(np.ascontiguousarray(whole[start : start + length], dtype=np.float32))
    return cut


def tokens(tokenizer: Tokenizer, clips: list[Clip]) -> list[list[Any]]:
    """Encode clips, with times where there are any."""
    if isinstance(tokenizer, TimedTokenizer):
        return [[c.tolist(), t.tolist()] for c, t in tokenizer.encode_timed(clips)]
    return [[codes.tolist()] for codes in tokenizer.encode(clips)]


def share_of_equal(these: Sequence[Any], those: Sequence[Any]) -> float:
    """Compare clips' tokens; those of an irregular clock by their times, too."""
    equal = count = 0
    for one, other in zip(these, those, strict=True):
        if len(one) == 1:
            assert np.shape(one[0]) == np.shape(other[0])
        rows = [set(map(str, np.ndenumerate(found[0]))) for found in (one, other)]
        if len(one) == 2:
            rows = [set(map(str, zip(*found, strict=True))) for found in (one, other)]
        equal, count = equal + len(rows[0] & rows[1]), count + len(rows[1])
    return equal / count
