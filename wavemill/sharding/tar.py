"""Deterministic tars with an index, at the speed of the disk.

A header holds nothing but name, size and checksum (no clock, no user, no PAX record), so the same
members give the same bytes, and readers that go through Python's tarfile skip two headers a member.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Data = bytes | memoryview

BLOCK = 512
MAX_NAME = 100
MAX_SIZE = 8**11 - 1
END = bytes(2 * BLOCK)
PIECE = 1 << 20
"""Bytes of data that are written at once."""
SAMPLES = 1024
"""Samples that are written at once."""

_NAME, _SIZE, _CHECKSUM = slice(MAX_NAME), slice(124, 135), slice(148, 154)
_TEMPLATE = np.frombuffer(
    bytes(MAX_NAME)
    + b"0000644\0"
    + b"0000000\0" * 2
    + bytes(12)  # the size
    + b"00000000000\0"  # mtime 0
    + b" " * 8  # the checksum, which is computed as if it were blanks
    + b"0"
    + bytes(100)
    + b"ustar\x0000"
    + bytes(64)
    + b"0000000\0" * 2
    + bytes(167),
    np.uint8,
)
_ZEROS = bytes(BLOCK)


def header(name: str, size: int) -> bytes:
    """Return the 512 bytes before a member of `size` bytes.

    Raises:
        ValueError: a name or a size that a plain header cannot hold.

    """
    return headers([name], [size]).tobytes()


def headers(names: Sequence[str], sizes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the headers of many members, [N, 512]; see `header`."""
    for name, size in zip(names, sizes, strict=True):
        if len(name) > MAX_NAME or size > MAX_SIZE:
            words = "name over 100 or size over 8 GiB"
            raise ValueError(f"tar member {name!r} of {size} bytes: {words}")
    made = np.tile(_TEMPLATE, (len(names), 1))
    made[:, _NAME] = np.array(names, f"S{MAX_NAME}").view(np.uint8).reshape(-1, MAX_NAME)
    made[:, _SIZE] = _octal(np.array(sizes, np.int64), 11)
    made[:, _CHECKSUM] = _octal(made.sum(axis=1, dtype=np.int64), 6)
    return made


def _octal(values: npt.NDArray[np.int64], digits: int) -> npt.NDArray[np.int64]:
    """Write numbers as so many octal digits, [N, digits]."""
    return (values[:, None] >> np.arange(3 * digits - 3, -1, -3)) % 8 + ord("0")


def padding(size: int) -> bytes:
    """Return the zeros that fill a member to whole blocks."""
    return _ZEROS[: -size % BLOCK]


class TarWriter:
    """Writes samples and remembers where each began.

    Samples are written and hashed some at a time: a call a part would cost more than the work.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Write to an open file."""
        self._file = file
        self._hash = hashlib.sha256()
        self._offsets: list[int] = []
        self._samples: list[tuple[str, tuple[tuple[str, Data], ...]]] = []
        self._waiting = 0
        self.size = 0

    def add(self, key: str, *members: tuple[str, Data]) -> None:
        """Add a sample: (extension, data) pairs, whose names are `key.extension`."""
        self._samples.append((key, members))
        self._waiting += sum(len(data) for _, data in members)
        if self._waiting >= PIECE or len(self._samples) >= SAMPLES:
            self._flush()

    def finish(self) -> None:
        """Write the end of the archive."""
        self._flush()
        self._put(END)

    @property
    def sha256(self) -> str:
        """Of all that was written, once it is finished."""
        return self._hash.hexdigest()

    def index(self) -> bytes:
        """Return the `.idx` file: little-endian uint64 offsets of the samples, then the size."""
        return pack_index([*self._offsets, self.size])

    def _flush(self) -> None:
        """Write the samples that wait."""
        samples = self._samples
        names = [f"{key}.{extension}" for key, pairs in samples for extension, _ in pairs]
        bodies = [data for _, pairs in samples for _, data in pairs]
        heads = memoryview(headers(names, list(map(len, bodies))).tobytes())
        parts: list[Data] = []
        for number, data in enumerate(bodies):
            head = heads[number * BLOCK : (number + 1) * BLOCK]
            parts += (head, data, padding(len(data)))
        start = self.size
        for _, pairs in samples:
            self._offsets.append(start)
            start += sum(BLOCK + len(data) + -len(data) % BLOCK for _, data in pairs)
        self._samples, self._waiting = [], 0
        self._put(b"".join(parts))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)


def pack_index(offsets: list[int]) -> bytes:
    """Write offsets as little-endian uint64."""
    return struct.pack(f"<{len(offsets)}Q", *offsets)


def unpack_index(data: bytes) -> list[int]:
    """Read what `pack_index` wrote; raise ValueError where it is not whole."""
    if len(data) % 8:
        raise ValueError(f"an index of {len(data)} bytes is not made of 8-byte numbers")
    return list(struct.unpack(f"<{len(data) // 8}Q", data))
