"""Deterministic tars with an index, at the speed of the disk.

A header holds nothing but name, size and checksum (no clock, no user, no PAX record), so the same
members give the same bytes, and readers that go through Python's tarfile skip two headers a member.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Data = bytes | memoryview

BLOCK = 512
MAX_NAME = 100
MAX_SIZE = 8**11 - 1
END = bytes(2 * BLOCK)
PIECE = 1 << 18
"""Bytes that are written and hashed at once: so few that they are still in the cache for both."""

SIZE = slice(124, 135)
"""Where a header has the size of its member, in octal digits."""
_NAME, _CHECKSUM = slice(MAX_NAME), slice(148, 154)
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
_TEMPLATE_SUM = int(_TEMPLATE.sum(dtype=np.int64))
_PADDINGS = [bytes(size) for size in range(BLOCK)]


def header(name: str, size: int) -> bytes:
    """Return the 512 bytes before a member of `size` bytes.

    Raises:
        ValueError: a name or a size that a plain header cannot hold.

    """
    return headers([name], [size]).tobytes()


def headers(names: Sequence[str], sizes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the headers of many members, [N, 512]; see `header`."""
    if max(map(len, names), default=0) > MAX_NAME or max(sizes, default=0) > MAX_SIZE:
        pairs = zip(names, sizes, strict=True)
        name, size = next(pair for pair in pairs if len(pair[0]) > MAX_NAME or pair[1] > MAX_SIZE)
        words = "name over 100 or size over 8 GiB"
        raise ValueError(f"tar member {name!r} of {size} bytes: {words}")
    made = np.tile(_TEMPLATE, (len(names), 1))
    made[:, _NAME] = np.array(names, f"S{MAX_NAME}").view(np.uint8).reshape(-1, MAX_NAME)
    made[:, SIZE] = _octal(np.array(sizes, np.int64), 11)
    # What is summed is what differs from the template, where it is zero.
    sums = [made[:, part].sum(axis=1, dtype=np.int32) for part in (_NAME, SIZE)]
    made[:, _CHECKSUM] = _octal(sums[0] + sums[1] + np.int64(_TEMPLATE_SUM), 6)
    return made


def _octal(values: npt.NDArray[np.int64], digits: int) -> npt.NDArray[np.int64]:
    """Write numbers as so many octal digits, [N, digits]."""
    return ((values[:, None] >> np.arange(3 * digits - 3, -1, -3)) & 7) + ord("0")


def padding(size: int) -> bytes:
    """Return the zeros that fill a member to whole blocks."""
    return _PADDINGS[-size % BLOCK]


class TarWriter:
    """Writes samples and remembers where each began."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to an open file."""
        self._file = file
        self._hash = hashlib.sha256()
        self._offsets: list[int] = []
        self.size = 0

    def add(self, keys: Sequence[str], **members: Sequence[Data]) -> None:
        """Add samples: the data of each, by extension; a member's name is `key.extension`.

        The more at once, the better: a call a sample would cost more than the work.
        """
        sizes = np.array([list(map(len, column)) for column in members.values()], np.int64).T
        ends = (BLOCK + sizes + -sizes % BLOCK).sum(axis=1).cumsum()
        self._offsets += (self.size + np.append(0, ends[:-1])).tolist()[: len(keys)]
        names = [f"{key}.{extension}" for key in keys for extension in members]
        step = 3 * len(members)
        parts: list[Data] = [b""] * (step * len(keys))
        parts[0::3] = headers(names, sizes.ravel().tolist()).view(f"V{BLOCK}").ravel().tolist()
        for number, column in enumerate(members.values()):
            parts[3 * number + 1 :: step] = column
        parts[2::3] = [_PADDINGS[size] for size in (-sizes % BLOCK).ravel().tolist()]
        for part in pieces(ends, PIECE):
            self._put(b"".join(parts[part.start * step : part.stop * step]))

    def finish(self) -> None:
        """Write the end of the archive."""
        self._put(END)

    @property
    def sha256(self) -> str:
        """Of all that was written, once it is finished."""
        return self._hash.hexdigest()

    def index(self) -> bytes:
        """Return the `.idx` file: little-endian uint64 offsets of the samples, then the size."""
        return pack_index([*self._offsets, self.size])

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)


def pieces(ends: npt.NDArray[np.int64], size: int) -> Iterator[slice]:
    """Cut a row of things, by where each ends, into pieces of about `size`; none is empty."""
    start = done = 0
    while start < len(ends):
        stop = int(np.searchsorted(ends, done + size)) + 1
        yield slice(start, stop)
        start, done = stop, int(ends[min(stop, len(ends)) - 1])


def pack_index(offsets: list[int]) -> bytes:
    """Write offsets as little-endian uint64."""
    return struct.pack(f"<{len(offsets)}Q", *offsets)


def unpack_index(data: bytes) -> list[int]:
    """Read what `pack_index` wrote; raise ValueError where it is not whole."""
    if len(data) % 8:
        raise ValueError(f"an index of {len(data)} bytes is not made of 8-byte numbers")
    return list(struct.unpack(f"<{len(data) // 8}Q", data))
