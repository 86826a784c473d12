"""Read the tars that `tar.py` writes, and no others: every byte is data or as expected."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from wavemill.sharding.tar import BLOCK, END, MAX_NAME, SIZE, header, padding


@dataclass(frozen=True)
class Member:
    """A member of a tar."""

    name: str
    offset: int
    """Of its header."""
    data: bytes


NO_MEMBER = Member("(the end)", 0, b"")
"""What comes after the last."""


def read_members(file: BinaryIO, size: int) -> Iterator[Member]:
    """Yield the members of a tar of `size` bytes, one in memory at a time.

    Raises:
        ValueError: it is not what `TarWriter` writes.

    """
    offset = 0
    while (head := file.read(BLOCK)) != END[:BLOCK]:
        name, length = _parse(head, offset)
        after = offset + BLOCK + length
        if after > size:
            raise ValueError(f"the member at byte {offset} is said to go beyond the end")
        data = file.read(length)
        gap = padding(length)
        if len(data) < length or file.read(len(gap)) != gap:
            raise ValueError(f"the member at byte {offset} is not filled up with zeros")
        yield Member(name, offset, data)
        offset = after + len(gap)
    if file.read(BLOCK + 1) != END[BLOCK:]:
        raise ValueError(f"it does not end at its end mark at byte {offset}")


def _parse(head: bytes, offset: int) -> tuple[str, int]:
    """Return name and size of a member whose header is, to the byte, what we would write."""
    try:
        name = head[:MAX_NAME].rstrip(b"\0").decode("ascii")
        length = int(head[SIZE], 8)
        if length >= 0 and header(name, length) == head:
            return name, length
    except ValueError:
        pass
    raise ValueError(f"the header at byte {offset} is not one that wavemill writes")
