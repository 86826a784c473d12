"""Room on disks, and how fast they take what is written."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from wavemill.checkup.finding import BROKEN, LOW, OK, Finding

LEAST_GB = 2.0
PIECE = bytes(4 << 20)
MOST_BYTES = 64 << 20
MOST_SECONDS = 0.5
"""Of writing; what was written is then waited for."""


def check_disks(out: str | None) -> Iterator[Finding]:
    """Look at the folder of temporary files, and at the one that a dataset would go to.

    Args:
        out: that folder, or one that is yet to be made; None for the current one.

    """
    try:
        temporary = tempfile.gettempdir()
    except OSError as error:
        yield Finding(part="TMPDIR", state=BROKEN, says=str(error), needed=True,
                      remedy="set TMPDIR to a folder that can be written to")  # fmt: skip
    else:
        yield _look("TMPDIR", temporary, needed=True)
    yield _look("OUT" if out else "here", out or ".", needed=out is not None)


def free_gb(folder: str) -> float | None:
    """Return how much room there is, in 10^9 bytes; None where nothing can be said."""
    try:
        return round(shutil.disk_usage(folder).free / 1e9, 1)
    except OSError:
        return None


def _look(part: str, folder: str, *, needed: bool) -> Finding:
    there = _nearest(folder)
    free = free_gb(there)
    name = f"disk, {part}"
    try:
        speed = _speed(there)
    except OSError as error:
        return Finding(part=name, state=BROKEN, needed=needed,
                       says=f"cannot write to {there}: {error.strerror or error}",
                       remedy="make room there, or name another folder")  # fmt: skip
    says = f"{there}: {'?' if free is None else free} GB free, takes {speed:,.0f} MB/s"
    if free is not None and free < LEAST_GB:
        return Finding(part=name, state=LOW, says=says, needed=needed,
                       remedy=f"a job wants some GB there; {_elsewhere(part)}")  # fmt: skip
    return Finding(part=name, state=OK, says=says, needed=needed)


def _elsewhere(part: str) -> str:
    return "set TMPDIR to another folder" if part == "TMPDIR" else "name another folder"


def _nearest(folder: str) -> str:
    """Return a folder, or the first above it that is there."""
    path = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve raises on loops of links
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return str(path)


def _speed(folder: str) -> float:
    """Write for a moment into a file without a name; return MB a second, as they reach the disk."""
    started, written = time.monotonic(), 0
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while written < MOST_BYTES and time.monotonic() - started < MOST_SECONDS:
            written += file.write(PIECE)
        os.fsync(file.fileno())
    return written / 1e6 / max(time.monotonic() - started, 1e-6)
