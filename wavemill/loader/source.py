"""Where the files of shards are read from: this machine's disk, or a store."""

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wavemill import storage
from wavemill.errors import DatasetError
from wavemill.loader.corpus import ShardRef
from wavemill.loader.tars import REMEDY, HeldTar, Index, Tar


class Source(Protocol):
    """Reads files of shards; safe to use from several threads."""

    def whole(self, shard: ShardRef, name: str) -> memoryview:
        """Return all of a file.

        Raises:
            DatasetError: it is not there, or has not the size that the dataset says.

        """

    def tar(self, shard: ShardRef, name: str) -> Tar:
        """Open a tar by its name.

        Raises:
            DatasetError: it or its index is not there, or damaged.

        """

    reads_ahead: bool
    """Whether to say beforehand which samples will be read."""

    def read_ahead(self, samples: Sequence[tuple[Tar, int]]) -> None:
        """Fetch what will be asked for next, all of it at once."""

    def prepare(self, shards: Sequence[ShardRef], names: Sequence[str]) -> None:
        """Begin to fetch files that a window will need, by the streams they are of."""

    def close(self) -> None:
        """Let go of what is held."""


class LocalSource:
    """Maps files on a disk into memory: what is not read costs nothing."""

    reads_ahead = False

    def whole(self, shard: ShardRef, name: str) -> memoryview:
        """Map a file."""
        return map_file(locate(shard, name), size_of(shard, name))

    def tar(self, shard: ShardRef, name: str) -> Tar:
        """Map a tar."""
        return held_tar(shard, name, self.whole(shard, name), self.whole(shard, f"{name}.idx"))

    def read_ahead(self, samples: Sequence[tuple[Tar, int]]) -> None:
        """Leave it to the system."""

    def prepare(self, shards: Sequence[ShardRef], names: Sequence[str]) -> None:
        """Leave it to the system."""

    def close(self) -> None:
        """Hold nothing."""


def locate(shard: ShardRef, name: str) -> str:
    """Return the URL of a shard's file."""
    return storage.join(shard.url, shard.bucket, name)


def size_of(shard: ShardRef, name: str) -> int:
    """Return the bytes that a file should have.

    Raises:
        DatasetError: the dataset does not list it.

    """
    if name not in shard.files:
        raise DatasetError(
            f"{shard.name}: {name} is not listed in dataset.json: give the same"
            " `wavemill prepare` again, which writes what is missing"
        )
    return shard.files[name][0]


def map_file(path: str, size: int) -> memoryview:
    """Map a file of this size into memory.

    Raises:
        DatasetError: it is not there, or of another size.

    """
    try:
        with Path(storage.local_path(path)).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read {path}: {error}; {REMEDY}") from error
    if len(data) != size:
        raise DatasetError(f"{path} has {len(data):,} bytes, not {size:,}; {REMEDY}")
    return memoryview(data)


def held_tar(shard: ShardRef, name: str, data: memoryview, index: memoryview) -> Tar:
    """Read the index of a tar whose bytes are at hand."""
    url = locate(shard, name)
    return HeldTar(url, Index(url, index, len(data), shard.samples), data)
