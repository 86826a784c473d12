"""Where the files of shards are read from: this machine's disk, or a store."""

import errno
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wavemill import storage
from wavemill.errors import DatasetError, JobError
from wavemill.loader.corpus import ShardRef
from wavemill.loader.tars import REMEDY, HeldTar, Tar, read_index

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What the system says where the process has too much open, which is no fault of the file."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a window reads of a shard."""

    shard: ShardRef
    first: int
    """The first of its samples that may be read."""
    last: int
    """The one after the last."""
    tars: Sequence[str]
    """Names of the tars that hold what is read of each sample."""
    whole: Sequence[str]
    """Names of files that are read whole."""


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

    def prepare(self, needs: Sequence[Need]) -> None:
        """Begin to fetch what the next window will need; what the last one needed may go."""


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

    def prepare(self, needs: Sequence[Need]) -> None:
        """Leave it to the system."""


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
        JobError: the process may open no more.

    """
    try:
        with Path(storage.local_path(path)).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in EXHAUSTED:
            raise JobError(
                f"cannot open {path}: {error}; raise the limit (`ulimit -n`), or use fewer loaders"
            ) from error
        raise DatasetError(f"cannot read {path}: {error}; {REMEDY}") from error
    if len(data) != size:
        raise DatasetError(f"{path} has {len(data):,} bytes, not {size:,}; {REMEDY}")
    return memoryview(data)


def held_tar(shard: ShardRef, name: str, data: memoryview, index: memoryview) -> HeldTar:
    """Read the index of a tar whose bytes are at hand."""
    url = locate(shard, name)
    return HeldTar(url, read_index(url, index, len(data), shard.samples), data)
