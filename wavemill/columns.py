"""Columns of numbers that outgrow memory: on the local disk, mapped, and read a piece at a time.

The files lie in the temporary folder (`TMPDIR`) under no name, so that nothing is left of them
however the process ends. Mapped pages are the system's to take back: they are no memory of ours.
"""

import errno
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.errors import JobError
from wavemill.storage import FULL

PIECE = 1 << 18
"""Values that are looked at in one go."""
AT_ONCE = 1 << 21
"""Values that are sorted in memory; of more, runs are sorted and merged on disk."""

Array = npt.NDArray[Any]
Pieces = Callable[[], Iterator[Array]]
"""Gives an array's values from the first on, a piece at a time, as often as it is called."""


def temporary_file(owner: object) -> Any:
    """Open a file without a name that is closed when its owner goes."""
    file = tempfile.TemporaryFile(prefix="wavemill-")  # noqa: SIM115 - as long as the owner
    weakref.finalize(owner, file.close)
    return file


class Column:
    """Values of one kind that are added and then read; the disk holds them, not memory."""

    def __init__(self, kind: npt.DTypeLike) -> None:
        """Begin without values."""
        self._kind = np.dtype(kind)
        self._file = temporary_file(self)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, values: npt.ArrayLike) -> None:
        """Add values, [N].

        Raises:
            JobError: the disk is full.

        """
        array = np.ascontiguousarray(values, self._kind)
        try:
            self._file.write(array.view(np.uint8).data if array.size else b"")
        except OSError as error:
            raise _explained(error) from error
        self._count += len(array)

    def array(self) -> Array:
        """Return all values, [N], mapped; they cannot be changed."""
        try:
            self._file.flush()
        except OSError as error:
            raise _explained(error) from error
        if not self._count:
            return np.zeros(0, self._kind)
        return np.memmap(self._file, self._kind, "r", shape=(self._count,))


def _explained(error: OSError) -> Exception:
    if error.errno not in FULL:
        return error
    where = f"{tempfile.gettempdir()} (TMPDIR)"
    words = os.strerror(error.errno or errno.ENOSPC)
    return JobError(f"cannot write what the plan needs to {where}: {words}; make room there")


def on_disk(pieces: Iterable[Array], kind: npt.DTypeLike) -> Array:
    """Return the values of some pieces one after another, [N], mapped."""
    column = Column(kind)
    for piece in pieces:
        column.add(piece)
    return column.array()


def slices(count: int, size: int | None = None) -> Iterator[slice]:
    """Cut so many values into pieces, of `PIECE` or `size` of them."""
    size = size or PIECE
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def pieces_of(values: Array) -> Iterator[Array]:
    """Yield an array's values, a piece in memory at a time."""
    return (values[part] for part in slices(len(values)))


def sorted_pieces(pieces: Iterable[Array], at_once: int = AT_ONCE) -> Iterator[Array]:
    """Sort numbers, none of them NaN, of which about `at_once` lie in memory at a time."""
    runs: list[Array] = []
    waiting: list[Array] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= at_once:
            run = _sorted(waiting)
            runs.append(on_disk([run], run.dtype))
            waiting = []
    if waiting:
        runs.append(_sorted(waiting))
    if len(runs) == 1:
        yield runs[0]
    elif runs:
        yield from _merged(runs, at_once)


def _merged(runs: list[Array], at_once: int) -> Iterator[Array]:
    """Merge sorted runs between values that lie so close that few are in memory at a time."""
    step = max(at_once // len(runs), 1)
    edges = np.unique(np.concatenate([run[::step] for run in runs]))
    above = [np.searchsorted(run, edges, side="right").tolist() for run in runs]
    below = [np.searchsorted(run, edges, side="left").tolist() for run in runs]
    starts = [0] * len(runs)
    for number, edge in enumerate(edges):
        ends = [found[number] for found in below]
        yield _between(runs, starts, ends)
        starts = [found[number] for found in above]
        equal = sum(starts) - sum(ends)  # any number of them
        yield from (np.full(part.stop - part.start, edge) for part in slices(equal, at_once))
    yield _between(runs, starts, [len(run) for run in runs])


def _between(runs: list[Array], starts: list[int], ends: list[int]) -> Array:
    parts = zip(runs, starts, ends, strict=True)
    return _sorted([run[start:end] for run, start, end in parts])


def _sorted(parts: list[Array]) -> Array:
    values = np.concatenate(parts)
    values.sort()
    return values
