"""What a run logs: a row of `log.jsonl` for each step, and TensorBoard's files if it is there."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wavemill import storage
from wavemill.packages import is_installed

LOG, TENSORBOARD = "log.jsonl", "tensorboard"


class Log:
    """The log of a run; as a context it is closed at the end."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open it to go on after a step; rows of later ones, which a killed run left, go."""
        self._place = folder / LOG
        kept = [line for line in _lines(self._place) if _step(line) <= step]
        storage.write_bytes(str(self._place), b"".join(kept))
        self._file = self._place.open("a", encoding="utf-8")
        self._writer = _writer(folder / TENSORBOARD, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write a row; `step` counts from 1, it is how many were done."""
        row = {name: _rounded(value) for name, value in values.items()}
        self._file.write(json.dumps({"step": step, **row}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Have what was written seen by others."""
        self._file.flush()
        if self._writer is not None:
            self._writer.flush()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of a run's log."""
    return [json.loads(line) for line in _lines(folder / LOG)]


def _writer(folder: Path, step: int) -> Any:
    """Open TensorBoard's files, if it is installed (`pip install wavemill[train]`)."""
    if not is_installed("tensorboard"):
        return None
    from torch.utils.tensorboard.writer import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


def _lines(place: Path) -> list[bytes]:
    """Return whole lines; the last one may have been cut off."""
    if not place.exists():
        return []
    return [line for line in place.read_bytes().splitlines(keepends=True) if _step(line) >= 0]


def _step(line: bytes) -> int:
    try:
        return int(json.loads(line)["step"]) if line.endswith(b"\n") else -1
    except (ValueError, KeyError, TypeError):
        return -1


def _rounded(value: float) -> float | None:
    """To nine digits, which hold a float32 whole; JSON knows no NaN."""
    return float(f"{value:.9g}") if math.isfinite(value) else None
