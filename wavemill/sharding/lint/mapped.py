"""Find all samples of a tar at once, by its index: the quick way through a tar that is sound."""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.sharding.tar import BLOCK, END, MAX_NAME, SIZE, headers

SAMPLES = 4096
"""Samples that are looked at together."""

Blocks = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


def map_file(url: str) -> memoryview:
    """Give a file's bytes, on a local disk without reading them yet."""
    if not storage.is_local(url):
        return memoryview(storage.read_bytes(url))
    with Path(storage.local_path(url)).open("rb") as file:
        empty = not file.seek(0, 2)  # an empty file cannot be mapped
        return memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@dataclass(frozen=True)
class Members:
    """Where the data and the JSON of each sample lie in a tar; arrays are [N]."""

    tar: memoryview
    start: Ints
    size: Ints
    about_start: Ints
    about_size: Ints

    def data(self) -> Iterator[memoryview]:
        """Yield the data of each sample."""
        for start, size in zip(self.start.tolist(), self.size.tolist(), strict=True):
            yield self.tar[start : start + size]

    def hold(self, lines: Sequence[bytes]) -> bool:
        """Say whether the JSON beside the data are these lines."""
        if list(map(len, lines)) != self.about_size.tolist():
            return False
        starts = self.about_start.tolist()
        return all(
            self.tar[start : start + len(line)] == line
            for start, line in zip(starts, lines, strict=True)
        )


def find_members(
    tar: memoryview, index: bytes, keys: Sequence[str], extension: str
) -> Members | None:
    """Return the samples of these keys; None where a byte around them is not as it should be.

    That is: where the tar is not what `TarWriter` writes of such samples, or the index not its own.
    """
    if len(tar) % BLOCK or len(index) != 8 * (len(keys) + 1) or tar[-len(END) :] != END:
        return None
    if not all(key.isascii() and len(key) <= MAX_NAME - len(".json") for key in keys):
        return None
    offsets = np.frombuffer(index, "<i8")
    ends = np.append(offsets[1:-1], len(tar) - len(END))
    blocks = np.frombuffer(tar, np.uint8).reshape(-1, BLOCK)
    if offsets[0] != 0 or offsets[-1] != len(tar):
        return None
    parts = [
        _find(blocks, offsets[:-1][part], ends[part], keys[part], extension)
        for part in (slice(at, at + SAMPLES) for at in range(0, len(keys), SAMPLES))
    ]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    return Members(tar, *columns)


def _find(
    blocks: Blocks, starts: Ints, ends: Ints, keys: Sequence[str], extension: str
) -> tuple[Ints, Ints, Ints, Ints] | None:
    """Find samples that are said to begin and end at some bytes."""
    first = _member(blocks, starts, [f"{key}.{extension}" for key in keys])
    if first is None:
        return None
    second = _member(blocks, first[1], [f"{key}.json" for key in keys])
    if second is None or (second[1] != ends).any():
        return None
    return starts + BLOCK, first[0], first[1] + BLOCK, second[0]


def _member(blocks: Blocks, starts: Ints, names: Sequence[str]) -> tuple[Ints, Ints] | None:
    """Return the sizes of members, and where what follows them begins."""
    limit = len(blocks) * BLOCK
    if (starts % BLOCK).any() or (starts < 0).any() or (starts > limit - BLOCK).any():
        return None
    heads = blocks[starts // BLOCK]
    digits = heads[:, SIZE].astype(np.int64) - ord("0")
    if ((digits < 0) | (digits > 7)).any():
        return None
    sizes = digits @ (8 ** np.arange(10, -1, -1, dtype=np.int64))
    ends = starts + BLOCK + sizes
    after = ends + -sizes % BLOCK
    if (after > limit - len(END)).any() or (heads != headers(names, sizes.tolist())).any():
        return None
    last = blocks[(after - 1) // BLOCK]
    filling = np.arange(BLOCK) >= (ends - (after - BLOCK))[:, None]
    return None if (last.astype(bool) & filling).any() else (sizes, after)
