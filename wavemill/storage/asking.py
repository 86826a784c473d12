"""Which store a URL is of, and how it is asked: what it answers, or one clear error."""

import errno
import os
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, TypeVar

import fsspec

from wavemill.errors import JobError, StorageError
from wavemill.storage.faults import ABSENT, DOWN, OTHER, REFUSED, WRONG, fault_of, shown
from wavemill.storage.store import Store

T = TypeVar("T")

HTTP = ("http", "https")
FEW_TRIES = 4
"""Of one HTTP server among many: it is the data's fault, not the job's, if it is away."""


def protocol_of(url: str) -> str:
    """Return the part of a URL that says what store it is of."""
    return url.split("://", 1)[0]


def make_store(protocol: str) -> Store:
    """Make a store of its own for a protocol.

    Raises:
        ImportError, ValueError: nothing installed reads it.

    """
    if protocol in ("s3", "s3a"):
        from wavemill.storage.s3 import S3Store

        return S3Store()
    # A cached listing grows with the corpus and goes stale while others write. And not out of
    # fsspec's cache: another reader may have made it with a loop that is gone.
    system = fsspec.filesystem(protocol, use_listings_cache=False, skip_instance_cache=True)
    # Some HTTP servers give no ranges, some no sizes: fsspec knows them.
    return Store(system, is_ranged=system.async_impl and protocol not in HTTP)


@lru_cache(maxsize=64)
def _kept_store(protocol: str, process: int) -> Store:  # noqa: ARG001 - none survives a fork
    store = make_store(protocol)
    store.tries = FEW_TRIES if protocol in HTTP else None
    return store


def forget_stores() -> None:
    """Let go of this process's stores: the next are made with the settings of then."""
    _kept_store.cache_clear()


def store_of(url: str) -> tuple[Store, str]:
    """Return the store of a URL, and the path within it.

    Raises:
        JobError: nothing installed reads it.

    """
    try:
        store = _kept_store(protocol_of(url), os.getpid())
    except (ImportError, ValueError) as error:
        raise JobError(f"cannot read {shown(url)}: {error}") from error
    return store, store.path_of(url)


def ask(url: str, verb: str, work: Callable[[Store, str], Coroutine[Any, Any, T]]) -> T:
    """Ask the store of a URL for something, and wait for it.

    Args:
        url: of what.
        verb: what is done with it, for the error.
        work: takes the store and the path.

    Raises:
        FileNotFoundError: it is not there.
        PermissionError: the store refuses it.
        StorageError: the store is down, or cannot be used as it is named.
        OSError: another thing is wrong with this file.

    """
    store, path = store_of(url)
    doing = store.start(work(store, path))
    try:
        return doing.result()
    except Exception as error:  # noqa: BLE001 - stores raise what they like
        told = _told(error, verb, url)
    except BaseException:
        doing.cancel()
        raise
    # Not `from` the store's error, whose text may hold secrets.
    raise told


def _told(error: Exception, verb: str, url: str) -> Exception:
    fault = fault_of(error)
    if fault.kind == OTHER and not isinstance(error, OSError):
        return error
    where = shown(url)
    if fault.kind == ABSENT:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where)
    if fault.kind == REFUSED:
        return PermissionError(errno.EACCES, f"{fault.words}; {fault.remedy}", where)
    if fault.kind == DOWN and protocol_of(url) in HTTP:
        return ConnectionError(f"{where}: {fault.words}")
    if fault.kind in (DOWN, WRONG):
        return StorageError(f"cannot {verb} {where}: {fault.words}; {fault.remedy}")
    return OSError(errno.EIO, fault.words, where)
