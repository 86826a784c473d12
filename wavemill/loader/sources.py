"""Which source each dataset is read from."""

import os
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.loader.source import LocalSource, Source
from wavemill.loader.stores.cache import Cache
from wavemill.loader.stores.cached_source import CachedSource
from wavemill.loader.stores.store import Store
from wavemill.loader.stores.store_source import GAP, StoreSource
from wavemill.specs import check_range

HELD_BYTES = 2 << 30
"""Of tars on a store that a rank holds in memory at most, all its processes together."""
THREADS = 4
"""That make batches out of a store: while one waits for it, others work."""


class Sources:
    """How datasets are read. What is fetched is kept from one epoch to the next, by process."""

    def __init__(
        self,
        urls: Sequence[str],
        cache: str | PathLike[str] | None = None,
        cache_gb: float = 100.0,
        ranks: int = 1,
    ) -> None:
        """Say where datasets lie.

        Args:
            urls: of the datasets.
            cache: a local folder for copies of what lies on stores.
            cache_gb: 10^9 bytes that it holds at most.
            ranks: that share the samples of each window.

        Raises:
            UsageError: the cache is no local folder, or of no size.

        """
        check_range("cache_gb", cache_gb, 1e-6, 1e9)
        folder = None if cache is None else storage.folder_url(fspath(cache))
        if folder is not None and not storage.is_local(folder):
            raise UsageError(f"cache={folder!r} is no folder of this machine; give a path")
        self._urls, self._cache, self._cache_bytes = list(urls), folder, int(cache_gb * 1e9)
        self._ranks = ranks
        self._opened: dict[tuple[int, int], list[Source]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is of this process."""
        return {**self.__dict__, "_opened": {}}

    def waits(self, sample_bytes: float, window: int) -> bool:
        """Say whether samples are read by ranges, and so each batch is waited for.

        Args:
            sample_bytes: of a sample in the tars.
            window: samples that are planned together.

        """
        if self._cache is not None or all(map(storage.is_local, self._urls)):
            return False
        gap = (self._ranks - 1) * sample_bytes
        return gap > GAP or window * sample_bytes > HELD_BYTES // 2

    def open(self, workers: int) -> list[Source]:
        """Return the source of each dataset; those on one store have the same.

        Args:
            workers: processes that share this rank's batches, 1 or more.

        Raises:
            JobError: a store cannot be read, or the cache not be written.

        """
        key = (os.getpid(), workers)
        if key not in self._opened:
            # Those of a process that was forked are of no use.
            self._opened = {key: self._open(workers)}
        return self._opened[key]

    def _open(self, workers: int) -> list[Source]:
        made: dict[str, Source] = {}
        protocols = {_protocol(url) for url in self._urls if not storage.is_local(url)}
        for protocol in protocols:
            store = Store(protocol)
            if self._cache is None:
                limit = HELD_BYTES // (workers * len(protocols))
                made[protocol] = StoreSource(store, limit, 1 / (self._ranks * workers))
            else:
                made[protocol] = CachedSource(store, Cache(Path(self._cache), self._cache_bytes))
        local = LocalSource()
        return [made.get(_protocol(url), local) for url in self._urls]


def _protocol(url: str) -> str:
    return url.split("://", 1)[0]
