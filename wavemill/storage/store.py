"""A store as this process asks it: one file system a protocol, each request tried again if need be.

Every store that fsspec knows has the same few operations here; `s3.py` has its own way for some.
"""

# ruff: noqa: SLF001 - fsspec's operations that can be awaited have an underscore

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from fsspec.asyn import get_loop
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from wavemill.digest import sha256
from wavemill.storage.faults import ABSENT, fault_of
from wavemill.storage.retrying import SLOWEST, insist

T = TypeVar("T")

REQUESTS = 32
"""At once, of one process."""
PAGES_BYTES = 600 * SLOWEST
"""Stands for what a listing of many pages moves: its time is not that of one request."""

Entry = dict[str, Any]


class Head(NamedTuple):
    """How a file begins."""

    size: int
    version: str
    """What changes with its content; empty where the store does not tell."""
    data: bytes
    """Its first bytes, as many as came along."""


class Written(NamedTuple):
    """A small file as it was found."""

    data: bytes
    version: str
    age_seconds: float
    """Since it was written, by the store's own clock; 0 where that does not tell."""


class Store:
    """The files of one protocol; of the process that made it, whose threads survive no fork."""

    compares = False
    """Whether `put_if` compares and writes in one."""

    def __init__(self, system: Any, *, is_ranged: bool) -> None:
        """Ask a file system of fsspec."""
        self.system = system
        self.is_ranged = is_ranged
        """Whether files are read by ranges here; others are read as fsspec opens them."""
        self.tries: int | None = None
        """Of a request, if fewer than usual."""
        self._asked = system
        if not system.async_impl:
            self._asked = AsyncFileSystemWrapper(system, asynchronous=True)
        self._limit = asyncio.Semaphore(REQUESTS)

    def path_of(self, url: str) -> str:
        """Return the path of a URL within the file system."""
        return str(self.system._strip_protocol(url))

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin some work beside all that is under way."""
        return asyncio.run_coroutine_threadsafe(work, get_loop())

    async def ask(self, attempt: Callable[[], Coroutine[Any, Any, T]], num_bytes: int = 0) -> T:
        """Make a request, again if need be; raises as `insist` does."""
        async with self._limit:
            return await insist(attempt, num_bytes, self.tries)

    async def info(self, path: str) -> Entry:
        """Look a file or folder up, as fsspec tells it."""
        found: Entry = await self.ask(lambda: self._asked._info(path))
        return found

    async def exists(self, path: str) -> bool:
        """Say whether there is a file or folder."""
        return bool(await self.ask(lambda: self._asked._exists(path)))

    async def size(self, path: str) -> int | None:
        """Return a file's size, or None if there is none; it is asked for alone: none is listed."""
        try:
            found = await self.info(path)
        except Exception as error:
            if fault_of(error).kind == ABSENT:
                return None
            raise
        return None if found.get("type") == "directory" else int(found.get("size") or 0)

    async def is_file(self, path: str) -> bool:
        """Say whether there is a file."""
        return await self.size(path) is not None

    async def sizes(self, paths: Iterable[str]) -> list[int | None]:
        """Return the sizes of many files."""
        return await asyncio.gather(*map(self.size, paths))

    async def is_folder(self, path: str) -> bool:
        """Say whether anything lies below a path."""
        return bool(await self.ask(lambda: self._asked._isdir(path), PAGES_BYTES))

    async def entries(self, path: str) -> list[Entry]:
        """List what lies right in a folder."""
        found: list[Entry] = await self.ask(lambda: self._asked._ls(path, detail=True), PAGES_BYTES)
        return found

    async def glob(self, pattern: str) -> list[str]:
        """List the paths that match."""
        return [*await self.ask(lambda: self._asked._glob(pattern), PAGES_BYTES)]

    async def head(self, path: str, num_bytes: int) -> Head:  # noqa: ARG002 - S3 reads them
        """Look a file up, with its first bytes where they come at no cost."""
        found = await self.info(path)
        return Head(int(found.get("size") or 0), "", b"")

    async def read(
        self,
        path: str,
        start: int,
        end: int,
        version: str = "",  # noqa: ARG002 - S3 knows it
    ) -> bytes:
        """Read a range of a file, of that version if the store knows any."""

        async def attempt() -> bytes:
            data: bytes = await self._asked._cat_file(path, start=start, end=end)
            if len(data) != end - start:
                raise ConnectionError(f"the store gave {len(data):,} bytes, not {end - start:,}")
            return data

        return await self.ask(attempt, end - start)

    async def open(self, path: str) -> Any:
        """Open a file as fsspec does."""
        return await self.ask(lambda: asyncio.to_thread(self.system.open, path, "rb"), PAGES_BYTES)

    async def read_all(self, path: str) -> bytes:
        """Read a whole file."""
        data: bytes = await self.ask(lambda: self._asked._cat_file(path), PAGES_BYTES)
        return data

    async def put(self, path: str, file: Path) -> None:
        """Store a local file, which appears whole or not at all."""
        size = file.stat().st_size  # noqa: ASYNC240 - of a local file, at once

        async def attempt() -> None:
            await self._asked._put_file(str(file), path)
            check_size(size, int((await self._asked._info(path))["size"]))

        await self.ask(attempt, size)

    async def remove_files(self, paths: Iterable[str]) -> None:
        """Remove files; those that are not there are no error."""
        for path in paths:
            await self._unless_absent(partial(self._asked._rm_file, path))

    async def remove(self, path: str) -> None:
        """Remove a file, and all that lies below it as a folder."""
        await self._unless_absent(lambda: self._asked._rm(path, recursive=True))

    async def look(self, path: str) -> Written:
        """Read a small file with its version."""
        data = await self.read_all(path)
        return Written(data, sha256(data), 0.0)

    async def put_if(self, path: str, data: bytes, version: str | None) -> str | None:
        """Write a small file if it is of that version, or is not there (None).

        Returns:
            Its new version; None if the condition does not hold. Where an answer was lost, that may
            be because the file was written: then it holds `data`.

        """
        if await self._version(path) != version:
            return None
        await self.ask(lambda: self._asked._pipe_file(path, data))
        return sha256(data)

    async def remove_if(self, path: str, version: str) -> None:
        """Remove a small file if it is of that version."""
        if await self._version(path) == version:
            await self.remove_files([path])

    async def _version(self, path: str) -> str | None:
        try:
            return (await self.look(path)).version
        except Exception as error:
            if fault_of(error).kind != ABSENT:
                raise
            return None

    async def abort_uploads(self, path: str) -> int:  # noqa: ARG002 - S3 lists them
        """Remove what killed writers sent of files below a path; return of how many."""
        return 0

    async def _unless_absent(self, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            await self.ask(attempt, PAGES_BYTES)
        except Exception as error:
            if fault_of(error).kind != ABSENT:
                raise


def check_size(sent: int, held: int) -> None:
    """Raise an error that passes if a store does not hold what it was sent."""
    if sent != held:
        raise ConnectionError(f"the store holds {held:,} bytes of the {sent:,} that were sent")
