"""A file of a store into the cache, by one of the processes that share it."""

import asyncio
import os
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from wavemill.errors import JobError
from wavemill.loader.stores.cache import Cache
from wavemill.loader.stores.store import GONE, Store, StoreError

T = TypeVar("T")

FILES = 32
"""That are fetched at once."""
PART = 32 << 20
"""Bytes of a file that one request is for."""
PARTS = 16
"""Of all files that are fetched at once, and lie in memory."""
PATIENCE_SECONDS = 60.0
"""That a file waits for others: for room, or for a process that writes it and does not go on."""
POLL_SECONDS = 0.05


class Fetcher:
    """Fetches files whole and verifies them."""

    def __init__(self, store: Store, cache: Cache) -> None:
        """Fetch from a store into a cache."""
        self._store, self._cache = store, cache
        self._turn, self._parts = asyncio.Semaphore(FILES), asyncio.Semaphore(PARTS)

    async def fetch(self, url: str, size: int, digest: str) -> memoryview:
        """Return a file of the cache, mapped; fetch it if it is not there, or damaged.

        Raises:
            JobError: the cache cannot be written, or has no room.
            StoreError: the store does not give the file.

        """
        async with self._turn:
            try:
                return await self._find_or_write(url, size, digest)
            except StoreError:
                raise
            except OSError as error:
                raise self._cache.failed(error) from error

    async def _find_or_write(self, url: str, size: int, digest: str) -> memoryview:
        began = time.time()
        while True:
            # In a thread, as it may verify the file.
            found = await asyncio.to_thread(self._cache.find, digest, size)
            if found is not None:
                return found
            descriptor = self._cache.begin(digest)
            if descriptor is not None:
                break
            if time.time() - max(began, self._cache.last_written(digest)) > PATIENCE_SECONDS:
                raise JobError(
                    f"another process has held {digest} in the cache {self._cache.folder} for"
                    f" {PATIENCE_SECONDS:.0f} s without writing; end it, or give another folder"
                )
            await asyncio.sleep(POLL_SECONDS)
        try:
            # Who had the lock before may have finished it.
            found = await _finish(asyncio.to_thread(self._cache.find, digest, size))
            return found or await self._write(url, size, digest, descriptor)
        finally:
            self._cache.end(digest, descriptor)

    async def _write(self, url: str, size: int, digest: str, descriptor: int) -> memoryview:
        await self._make_room(size, descriptor)
        for _ in range(2):
            await self._download(url, size, descriptor)
            data = await _finish(asyncio.to_thread(self._cache.finish, descriptor, digest))
            if data is not None:
                return data
        raise StoreError("it has not the sha256 that dataset.json says", GONE)

    async def _make_room(self, size: int, descriptor: int) -> None:
        began = time.time()
        while not await _finish(asyncio.to_thread(self._cache.reserve, descriptor, size)):
            if time.time() - began > PATIENCE_SECONDS:
                raise JobError(
                    f"the cache {self._cache.folder} has no room for {size:,} bytes: all else in it"
                    f" is in use; give more than cache_gb={self._cache.limit / 1e9:g}, or a smaller"
                    " window"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _download(self, url: str, size: int, descriptor: int) -> None:
        parts = [
            asyncio.create_task(self._part(url, start, min(start + PART, size), descriptor))
            for start in range(0, size, PART)
        ]
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.wait(parts)

    async def _part(self, url: str, start: int, end: int, descriptor: int) -> None:
        async with self._parts:
            data = await self._store.read(url, start, end)
            await _finish(asyncio.to_thread(_write_at, descriptor, data, start))


def _write_at(descriptor: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, start)
        view, start = view[written:], start + written


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Await what uses an open file to its end: a thread cannot be stopped when others are."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
