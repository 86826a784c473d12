"""The samples of a shard's tar, found through its index: any, without reading the others."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from wavemill.errors import DatasetError
from wavemill.sharding.tar import BLOCK, MAX_NAME, SIZE

REMEDY = "`wavemill lint` says what else is damaged, `wavemill prepare --verify` writes it anew"


class Tar(Protocol):
    """A tar, by the bytes of its samples; safe to read from several threads."""

    name: str
    """What messages call it."""

    def sample(self, position: int) -> memoryview:
        """Return a sample: its members one after the other, headers too."""


class Index:
    """Where the samples of a tar lie."""

    def __init__(self, name: str, data: bytes | memoryview, size: int, samples: int) -> None:
        """Read an `.idx` file.

        Args:
            name: of the tar, for messages.
            data: what the file holds: little-endian uint64 offsets, then the tar's size.
            size: of the tar in bytes.
            samples: how many it should hold.

        Raises:
            DatasetError: it is not this tar's index.

        """
        offsets = np.frombuffer(data[: len(data) // 8 * 8], "<u8").astype(np.int64)
        whole = len(data) == 8 * (samples + 1) and bool((np.diff(offsets) >= BLOCK).all())
        if not whole or offsets[0] < 0 or offsets[-1] != size:
            raise DatasetError(
                f"{name}.idx is not the index of {samples} samples in {size} bytes: one of the two"
                f" is damaged; {REMEDY}"
            )
        self.offsets: list[int] = offsets.tolist()
        """Where samples begin, and where the last one ends."""


class HeldTar:
    """A tar whose bytes lie in memory, or in a file that is mapped there."""

    def __init__(self, name: str, index: Index, data: memoryview) -> None:
        """Read through an index."""
        self.name, self.offsets, self.data = name, index.offsets, data

    def sample(self, position: int) -> memoryview:
        """Return a view of a sample's bytes."""
        return self.data[self.offsets[position] : self.offsets[position + 1]]


class RangedTar:
    """A tar on a store, of which samples are read alone."""

    def __init__(self, name: str, index: Index, read: Callable[[int, int], bytes]) -> None:
        """Read through an index; `read` reads from one offset up to another."""
        self.name, self.index, self._read = name, index, read
        self._ahead: dict[int, bytes] = {}

    def keep(self, position: int, data: bytes) -> None:
        """Take a sample that was read ahead, until it is asked for."""
        self._ahead[position] = data

    def sample(self, position: int) -> memoryview:
        """Return a sample's bytes, read now if they were not before."""
        start, end = self.index.offsets[position : position + 2]
        data = self._ahead.pop(position, None) or self._read(start, end)
        return memoryview(data)


def first_member(data: memoryview) -> tuple[str, memoryview]:
    """Return the key of a sample and the bytes of its first member, which are not copied.

    Raises:
        ValueError: it does not begin with the header of a member that fits.

    """
    head = bytes(data[:BLOCK])
    name, dot, _ = head[:MAX_NAME].partition(b".")
    end = BLOCK + int(head[SIZE], 8)
    if not dot or not BLOCK <= end <= len(data):
        raise ValueError("no header of a member that fits")
    return name.decode("ascii"), data[BLOCK:end]
