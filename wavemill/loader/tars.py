"""The samples of a shard's tar, found through its index: any, without reading the others."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from wavemill.errors import DatasetError
from wavemill.sharding.tar import BLOCK, MAX_NAME, SIZE

REMEDY = "`wavemill lint` says what else is damaged, `wavemill prepare --verify` writes it anew"


Offsets = Sequence[int] | Mapping[int, int]
"""By position: of all samples, and the end of the last; or of some, each with the next one's."""


class Tar(Protocol):
    """A tar, by the bytes of its samples; safe to read from several threads."""

    name: str
    """What messages call it."""

    def sample(self, position: int) -> memoryview:
        """Return a sample: its members one after the other, headers too.

        Raises:
            StoreError: a store does not give it.

        """

    def held(self, position: int) -> "HeldTar | None":
        """Return what of it lies in memory with this sample in it, if that does."""


class HeldTar:
    """A tar, or a piece of one, whose bytes lie in memory, or in a file that is mapped there."""

    def __init__(self, name: str, offsets: Offsets, data: memoryview) -> None:
        """Read by the offsets of samples in the data, and of their ends."""
        self.name, self.offsets, self.data = name, offsets, data

    def sample(self, position: int) -> memoryview:
        """Return a view of a sample's bytes."""
        return self.data[self.offsets[position] : self.offsets[position + 1]]

    def held(self, position: int) -> "HeldTar":  # noqa: ARG002 - it has them all
        """Return itself."""
        return self


def read_index(name: str, data: bytes | memoryview, size: int, samples: int) -> Sequence[int]:
    """Read an `.idx` file: where the samples of a tar begin, and where the last one ends.

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
    # Numbers of an array are read as fast as a list's, and take 8 bytes, not 36.
    return array("q", offsets.tobytes())


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
