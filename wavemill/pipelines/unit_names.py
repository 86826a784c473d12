"""Names of units in their order: on disk, for there may be millions, each as long as the others."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import overload

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.columns import Array, Column, on_disk, pieces_of, sorted_pieces
from wavemill.errors import JobError

NAME_BYTES = 24
"""The digits of a digest of 12 bytes; a shorter name is filled up with zero bytes."""
_KIND = f"S{NAME_BYTES}"
_WAITING = 4096


class UnitNames(Sequence[str]):
    """Names that are added and read, one or a few in memory at a time."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Begin with some names."""
        self._column = Column(_KIND)
        self._waiting: list[str] = []
        self._array: Array | None = None
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name at the end."""
        assert len(name) <= NAME_BYTES
        self._waiting.append(name)
        if len(self._waiting) >= _WAITING:
            self._flush()

    def __len__(self) -> int:
        return len(self._column) + len(self._waiting)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return a name, or a list of some."""
        if isinstance(index, slice):
            return _texts(self.array()[index])
        name: bytes = self.array()[index]
        return name.decode("ascii")

    def __iter__(self) -> Iterator[str]:
        for piece in pieces_of(self.array()):
            yield from _texts(piece)

    def array(self) -> Array:
        """Return the names as bytes, [N], mapped."""
        if self._waiting or self._array is None:
            self._flush()
            self._array = self._column.array()
        return self._array

    def missing_in(self, found: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Say which of the names are not among others, [N] mapped."""
        pieces = pieces_of(UnitNames(found).array())
        there = on_disk(sorted_pieces(pieces), _KIND)
        return on_disk((_absent(piece, there) for piece in pieces_of(self.array())), np.bool_)

    def select(self, kept: Iterable[Array]) -> Iterator[str]:
        """Yield the names where pieces of flags, as those of `pieces_of`, are true."""
        for piece, flags in zip(pieces_of(self.array()), kept, strict=True):
            yield from _texts(piece[flags])

    def _flush(self) -> None:
        self._column.add(np.array(self._waiting, _KIND))
        self._waiting = []


def _texts(names: Array) -> list[str]:
    return [name.decode("ascii") for name in names.tolist()]


def _absent(names: Array, there: Array) -> Array:
    if not len(there):
        return np.ones(len(names), np.bool_)
    places = np.minimum(np.searchsorted(there, names), len(there) - 1)
    absent: Array = there[places] != names
    return absent


def as_names(names: Sequence[str]) -> UnitNames:
    """Put names on disk, unless they are."""
    return names if isinstance(names, UnitNames) else UnitNames(names)


def joined(lists: Sequence[Sequence[str]]) -> Sequence[str]:
    """Join lists of names."""
    if len(lists) == 1:
        return lists[0]
    return UnitNames(name for names in lists for name in names)


def digest_of(names: Iterable[str]) -> str:
    """Digest names in their order, as 32 hexadecimal digits."""
    found = blake2b(digest_size=16)
    for name in names:
        found.update(name.encode() + b"\n")
    return found.hexdigest()


def write_names(url: str, names: Iterable[str]) -> None:
    """Write names into a file, atomically."""
    with storage.write_atomically(url) as file:
        for name in names:
            file.write(name.encode("ascii").ljust(NAME_BYTES, b"\0"))


def read_names(url: str, start: int, stop: int) -> list[str]:
    """Read the names from one place to another of such a file.

    Raises:
        JobError: it holds fewer.

    """
    with storage.open_read(url) as file:
        file.seek(start * NAME_BYTES)
        data = file.read((stop - start) * NAME_BYTES)
    if len(data) != (stop - start) * NAME_BYTES:
        raise JobError(f"{url} of the spool was cut short; run the job again")
    return _texts(np.frombuffer(data, _KIND))


def read_all(url: str, count: int) -> UnitNames:
    """Read the `count` names of such a file.

    Raises:
        JobError: it holds fewer.

    """
    starts = range(0, count, _WAITING)
    parts = (read_names(url, start, min(start + _WAITING, count)) for start in starts)
    return UnitNames(name for part in parts for name in part)
