"""Reading from a store: many ranges at once, tried again where it falters, never without an end.

s3fs and botocore each try again, one around the other: up to 125 times, minutes of silence where a
store is down. So their tries are turned off here, and this one loop holds for every store.
"""

import asyncio
import random
import re
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import fsspec
from fsspec.asyn import get_loop
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from wavemill.errors import JobError

T = TypeVar("T")

WAITS = (0.0, 0.2, 0.6, 1.8, 5.0)
"""Seconds before each try, about."""
GIVE_UP_SECONDS = 60.0
"""After which nothing is tried again."""
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
"""Without a byte, after which a try has failed."""
SLOWEST = 1 << 20
"""Bytes a second, below which a try has failed."""
REQUESTS = 32
"""At once, of one process."""
GONE = "`wavemill lint` says what else is missing, `wavemill prepare --verify` writes it anew"
REFUSED = "check the credentials, and that they may read there"
DOWN = "the store is down, busy or not to be reached; try again later"

_SECRETS = re.compile(r"(?<=//)[^/@\s]+@|\?[^\s\"']*")
"""What a URL may hold that is for no log: a user and a password, a signature."""


class StoreError(OSError):
    """A file on a store cannot be read."""

    def __init__(self, words: str, remedy: str) -> None:
        """Keep what is wrong, and what to do about it."""
        super().__init__(words)
        self.remedy = remedy


class Store:
    """Reads ranges of files of one protocol; of the process that made it."""

    def __init__(self, protocol: str) -> None:
        """Make a file system for this process alone: its threads do not survive a fork.

        Raises:
            JobError: nothing installed reads this protocol.

        """
        self._system = _filesystem(protocol)
        self._limit = asyncio.Semaphore(REQUESTS)

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin some work beside all that is under way."""
        return asyncio.run_coroutine_threadsafe(work, get_loop())

    async def read(self, url: str, start: int, end: int) -> bytes:
        """Read a range of a file.

        Raises:
            StoreError: it is not there, it is too short, or the store does not give it.

        """
        began, failure = time.monotonic(), StoreError("was not tried", DOWN)
        for wait in WAITS:
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            if wait and time.monotonic() - began > GIVE_UP_SECONDS:
                break
            try:
                return await self._try(url, start, end)
            except StoreError as error:
                failure = error
                if error.remedy != DOWN:
                    break
        raise failure

    async def _try(self, url: str, start: int, end: int) -> bytes:
        limit = 2 * SILENCE_SECONDS + (end - start) / SLOWEST
        path = self._system._strip_protocol(url)  # noqa: SLF001 - fsspec's documented way
        try:
            async with self._limit:
                reading = self._system._cat_file(path, start=start, end=end)  # noqa: SLF001
                data: bytes = await asyncio.wait_for(reading, limit)
        except Exception as error:
            raise _told(error) from error
        if len(data) != end - start:
            raise StoreError(f"the store gave {len(data):,} bytes, not {end - start:,}", GONE)
        return data


def _told(error: Exception) -> StoreError:
    """Say in a line, without secrets, what a store's error means."""
    said = " ".join(_SECRETS.sub("", str(error)).split())
    kind, status = type(error).__name__, getattr(error, "status", 0)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return StoreError("it is not there", GONE)
    if isinstance(error, PermissionError) or status in (401, 403) or "Credentials" in kind:
        return StoreError(f"the store refuses it ({said})", REFUSED)
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return StoreError(f"no answer from the store ({said or 'too slow'})", DOWN)
    return StoreError(said or kind, DOWN)


def _filesystem(protocol: str) -> Any:
    options: dict[str, Any] = {"use_listings_cache": False}
    if protocol in ("s3", "s3a"):
        config = fsspec.config.conf.get(protocol, {}).get("config_kwargs", {})
        options["config_kwargs"] = {
            "max_pool_connections": REQUESTS,
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": SILENCE_SECONDS,
            **config,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
        }
    try:
        # Not out of fsspec's cache: another reader may have made it with a loop that is gone.
        system = fsspec.filesystem(protocol, skip_instance_cache=True, **options)
    except (ImportError, ValueError) as error:
        raise JobError(f"cannot read {protocol}://...: {error}") from error
    if protocol in ("s3", "s3a"):
        system.retries = 1
    return system if system.async_impl else AsyncFileSystemWrapper(system, asynchronous=True)
