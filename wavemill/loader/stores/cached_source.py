"""Shards on a store, through a cache on this machine's disk: fetched whole, then mapped."""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from wavemill.errors import DatasetError, JobError
from wavemill.loader.corpus import ShardRef
from wavemill.loader.source import Need, locate, size_of
from wavemill.loader.stores.cache import Cache
from wavemill.loader.stores.fetching import Fetcher
from wavemill.loader.stores.store import Store, StoreError
from wavemill.loader.tars import HeldTar, Tar, read_index

File = tuple[ShardRef, str]
"""A shard, and the name of one of its files."""


@dataclass(kw_only=True, slots=True)
class Opened:
    """A tar while its window is read, and nothing afterwards."""

    tar: HeldTar | None = None


@dataclass(kw_only=True, slots=True)
class Entry:
    """A file that a window needs; it is not evicted while this is kept."""

    data: "Future[memoryview]"
    size: int
    window: int
    """The last that needs it, counted from when the loader began."""
    opened: Opened = field(default_factory=Opened)


class CachedSource:
    """Reads a store through a cache; of one process, since a store is."""

    reads_ahead = False

    def __init__(self, store: Store, cache: Cache) -> None:
        """Fetch from a store into a cache."""
        self._store, self._cache = store, cache
        self._fetcher = Fetcher(store, cache)
        self._entries: dict[str, Entry] = {}
        self._later: list[File] = []
        self._window = 0
        self._lock = threading.Lock()

    def whole(self, shard: ShardRef, name: str) -> memoryview:
        """Return a copy of a file, so that it may be evicted."""
        url = locate(shard, name)
        try:
            return memoryview(bytes(self._entry(shard, name).data.result()))
        except StoreError as error:
            raise DatasetError(f"cannot read {url}: {error}; {error.remedy}") from error

    def tar(self, shard: ShardRef, name: str) -> Tar:
        """Open a tar by its index; it may be on its way yet."""
        url, size = locate(shard, name), size_of(shard, name)
        offsets = read_index(url, self.whole(shard, f"{name}.idx"), size, shard.samples)
        return CachedTar(self, (shard, name), offsets)

    def read_ahead(self, samples: Sequence[tuple[Tar, int]]) -> None:
        """Leave it to `prepare`."""

    def prepare(self, needs: Sequence[Need]) -> None:
        """Begin to fetch a window's files, as far as there is room beside the one that is read.

        Raises:
            JobError: a window is larger than the cache.

        """
        files = list(_files(needs))
        total = sum(size_of(*file) for file in files)
        if total > self._cache.limit:
            raise JobError(
                f"the shards of a window have {total / 1e9:.3g} GB, more than the cache"
                f" {self._cache.folder} may hold; give more than"
                f" cache_gb={self._cache.limit / 1e9:g}, or a smaller window"
            )
        with self._lock:
            self._window += 1
            self._let_go()
            room = self._cache.limit - sum(entry.size for entry in self._entries.values())
        late, self._later = self._later, []
        for file in (*late, *files):
            size = size_of(*file)
            if size <= room or locate(*file) in self._entries:
                self._entry(*file, self._window)
                room -= size
            else:
                self._later.append(file)

    def opened(self, file: File, offsets: Sequence[int]) -> tuple[Opened, HeldTar]:
        """Return a tar, once it is there, and what has it until its window is over."""
        entry = self._entry(*file)
        tar = HeldTar(locate(*file), offsets, entry.data.result())
        with self._lock:
            if self._entries.get(tar.name) is entry:
                entry.opened.tar = tar
        return entry.opened, tar

    def _entry(self, shard: ShardRef, name: str, window: int = 0) -> Entry:
        """Return a file, which is fetched from now on if it was not before."""
        url, size = locate(shard, name), size_of(shard, name)
        with self._lock:
            entry = self._entries.get(url)
            if entry is None:
                data = self._store.start(self._fetcher.fetch(url, *shard.files[name]))
                entry = Entry(data=data, size=size, window=self._window - 1)
                self._entries[url] = entry
            entry.window = max(entry.window, window)
            return entry

    def _let_go(self) -> None:
        """Let go of what only windows before the last needed, and of what failed."""
        for url, entry in list(self._entries.items()):
            failed = entry.data.done() and entry.data.exception() is not None
            if failed or entry.window < self._window - 1:
                entry.opened.tar = None
                del self._entries[url]


class CachedTar:
    """A tar in the cache."""

    def __init__(self, source: CachedSource, file: File, offsets: Sequence[int]) -> None:
        """Read by the offsets of samples; the file is opened when one is asked for."""
        self.name = locate(*file)
        self._source, self._file, self._offsets = source, file, offsets
        self._opened = Opened()

    def held(self, position: int) -> HeldTar | None:  # noqa: ARG002 - it has them all
        """Return the tar, once it is there; None if it cannot be had."""
        try:
            return self._opened.tar or self._open()
        except StoreError:
            return None

    def sample(self, position: int) -> memoryview:
        """Return a view of a sample's bytes."""
        return (self._opened.tar or self._open()).sample(position)

    def _open(self) -> HeldTar:
        self._opened, tar = self._source.opened(self._file, self._offsets)
        return tar


def _files(needs: Iterable[Need]) -> Iterable[File]:
    """Yield the files of a window, each once: small ones first, since plans wait for them."""
    named = {
        locate(need.shard, name): (need.shard, name)
        for need in needs
        for name in (*need.whole, *(f"{tar}.idx" for tar in need.tars))
    }
    tars = {locate(need.shard, name): (need.shard, name) for need in needs for name in need.tars}
    # What is not listed is told when it is read.
    return [file for file in (named | tars).values() if file[1] in file[0].files]
