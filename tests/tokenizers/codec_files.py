"""Small codecs with random weights, as the hub has them and as their authors do."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch

from tests.conftest import SPEECH
from tests.parity.weights import random_state
from wavemill.audio import resample

Clip = npt.NDArray[np.float32]
GOLDEN = Path(__file__).parent.parent / "parity" / "golden"
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "encodec": ("Encodec", {"num_filters": 4, "hidden_size": 16}),
    "dac": (
        "Dac",
        {"encoder_hidden_size": 4, "decoder_hidden_size": 32, "sampling_rate": 16_000}
        | {"downsampling_ratios": [2, 4, 5, 8], "codebook_size": 64, "n_codebooks": 4},
    ),
    "mimi": (
        "Mimi",
        {"num_filters": 4, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}
        | {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
        | {"codebook_size": 64, "codebook_dim": 8, "vector_quantization_hidden_dimension": 8}
        | {"upsample_groups": 32},
    ),
    "xcodec2": (
        "Xcodec2",
        {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
        | {"num_attention_heads": 2, "num_key_value_heads": 2, "encoder_hidden_size": 4}
        | {"quantization_dim": 64}
        | {
            "semantic_model_config": {
                "model_type": "wav2vec2-bert", "hidden_size": 32, "num_hidden_layers": 2,
                "num_attention_heads": 2, "intermediate_size": 64,
                "feature_projection_input_dim": 160,
            }
        },
    ),
}  # fmt: skip
"""Name in transformers, and settings: as published, but narrow."""


def write_small(codec: str, folder: Path, like: tuple[str, dict[str, Any]] | None = None) -> str:
    """Write a small codec as the hub has it, or one of other settings; return the folder."""
    transformers: Any = pytest.importorskip("transformers")
    family, settings = like or SMALL[codec]
    config = getattr(transformers, f"{family}Config")(**settings)
    model = getattr(transformers, f"{family}Model")(config)
    own = {name: part for name, part in model.state_dict().items() if part.ndim}
    drawn = random_state({name: part.shape for name, part in own.items()}, seed=3)
    fixed = ("filter", "window", "levels", "basis", "quantizer.codebook")
    for name, part in own.items():
        if not name.endswith(fixed):
            part.copy_(torch.from_numpy(drawn[name]))
    model.save_pretrained(folder)
    return str(folder)


def golden(name: str) -> Any:
    """Read a golden file."""
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def drawn_state(golden_file: Any) -> dict[str, torch.Tensor]:
    """Draw the state dict of a golden file, in its authors' layout."""
    drawn = random_state(golden_file["shapes"], golden_file["seed"])
    return {name: torch.from_numpy(part) for name, part in drawn.items()}


@cache
def real_clips(sample_rate: int, count: int) -> list[Clip]:
    """Read utterances and other sounds of mixed length, the shortest first; not to be changed."""
    paths = [*(SPEECH / "audio").rglob("*.flac"), *(SPEECH / "effects").rglob("*.flac")]
    paths.sort(key=lambda path: (soundfile.info(path).duration, path.name))
    clips = []
    for path in paths[:: len(paths) // count][:count]:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        clips.append(resample(audio.mean(axis=1), rate, sample_rate))
    return clips
