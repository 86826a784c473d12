"""The random models of `benchmarks/random_models.py`, and real clips to run them on."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from wavemill.audio import resample, to_mono

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "random_models.py"
_NAMES: dict[str, Any] = runpy.run_path(str(SCRIPT))
SQ_SIZES: dict[str, Any] = _NAMES["SQ_SIZES"]


def write_model(name: str, out: Path, *, small: bool) -> None:
    """Write a checkpoint with random weights in the published layout."""
    _NAMES["MODELS"][name](out, small=small)


def read_mono(path: Path, sample_rate: int) -> npt.NDArray[np.float32]:
    """Read a clip as a tokenizer hears it."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(to_mono(audio), rate, sample_rate)
