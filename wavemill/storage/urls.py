"""URLs, and the fsspec file systems that they lead to."""

import os
import posixpath
from functools import lru_cache
from pathlib import Path
from typing import Any

import fsspec

from wavemill.errors import JobError


def is_local(url: str) -> bool:
    """Say whether a URL is a path on this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> str:
    """Turn a local URL into a plain path."""
    return url.removeprefix("file://")


@lru_cache(maxsize=64)
def _filesystem(protocol: str, process: int) -> Any:  # noqa: ARG001 - s3fs survives no fork
    # A cached listing grows with the corpus and goes stale while others write.
    return fsspec.filesystem(protocol, use_listings_cache=False)


def filesystem(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path within it."""
    if is_local(url):
        return _filesystem("file", os.getpid()), str(Path(local_path(url)).absolute())
    protocol = url.split("://", 1)[0]
    try:
        found = _filesystem(protocol, os.getpid())
    except (ImportError, ValueError) as error:
        raise JobError(f"cannot read {url}: {error}") from error
    return found, found._strip_protocol(url)  # noqa: SLF001 - fsspec's documented way


def folder_url(text: str) -> str:
    """Turn a folder as somebody wrote it into a URL: no slash at its end, `~` expanded."""
    if is_local(text):
        path = os.path.expanduser(local_path(text))  # noqa: PTH111
        return path.rstrip("/") or path[:1]
    protocol, _, path = text.partition("://")
    return f"{protocol}://{path.rstrip('/')}"


def join(url: str, *parts: str) -> str:
    """Append path parts to a URL."""
    return posixpath.join(url, *parts)
