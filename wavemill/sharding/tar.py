"""Deterministic tars with an index, at the speed of the disk.

A header holds nothing but name, size and checksum (no clock, no user, no PAX record), so the same
members give the same bytes, and readers that go through Python's tarfile skip two headers a member.
"""

import hashlib
import struct
from typing import BinaryIO

BLOCK = 512
MAX_NAME = 100
MAX_SIZE = 8**11 - 1
END = bytes(2 * BLOCK)

_BEFORE_SIZE = b"0000644\0" + b"0000000\0" * 2
_AFTER_SIZE = b"00000000000\0"  # mtime 0
_TAIL = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
_FIXED_SUM = sum(_BEFORE_SIZE) + sum(_AFTER_SIZE) + 8 * 0x20 + sum(_TAIL)


def header(name: str, size: int) -> bytes:
    """Return the 512 bytes before a member of `size` bytes."""
    raw = name.encode("ascii")
    if len(raw) > MAX_NAME or size > MAX_SIZE:
        raise ValueError(f"tar member {name!r} of {size} bytes: name over 100 or size over 8 GiB")
    octal = b"%011o\0" % size
    checksum = b"%06o\0 " % (_FIXED_SUM + sum(raw) + sum(octal))
    return raw.ljust(MAX_NAME, b"\0") + _BEFORE_SIZE + octal + _AFTER_SIZE + checksum + _TAIL


def padding(size: int) -> bytes:
    """Return the zeros that fill a member to whole blocks."""
    return bytes(-size % BLOCK)


class TarWriter:
    """Writes samples and remembers where each began."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to an open file."""
        self._file = file
        self._hash = hashlib.sha256()
        self._offsets: list[int] = []
        self.size = 0

    def add(self, key: str, *members: tuple[str, bytes | memoryview]) -> None:
        """Add a sample: (extension, data) pairs, whose names are `key.extension`."""
        self._offsets.append(self.size)
        for extension, data in members:
            size = len(data)
            self._put(header(f"{key}.{extension}", size))
            self._put(data)
            self._put(padding(size))

    def finish(self) -> None:
        """Write the end of the archive."""
        self._put(END)

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._hash.hexdigest()

    def index(self) -> bytes:
        """Return the `.idx` file: little-endian uint64 offsets of the samples, then the size."""
        return pack_index([*self._offsets, self.size])

    def _put(self, data: bytes | memoryview) -> None:
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
