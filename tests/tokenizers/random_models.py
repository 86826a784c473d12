"""The random models of `benchmarks/random_models.py`, for tests."""

import runpy
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "random_models.py"
_NAMES: dict[str, Any] = runpy.run_path(str(SCRIPT))
SQ_SIZES: dict[str, Any] = _NAMES["SQ_SIZES"]


def write_model(name: str, out: Path, *, small: bool) -> None:
    """Write a checkpoint with random weights in the published layout."""
    _NAMES["MODELS"][name](out, small=small)
