"""URLs: what leads to a file."""

import os
import posixpath


def is_local(url: str) -> bool:
    """Say whether a URL is a path on this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> str:
    """Turn a local URL into a plain path."""
    return url.removeprefix("file://")


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
