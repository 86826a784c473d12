"""What is there, and what it holds: look up, list, read."""

import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from wavemill.storage.asking import ask, store_of
from wavemill.storage.store_file import open_store_file
from wavemill.storage.urls import is_local, join, local_path

_OF_ONE = (errno.ENOENT, errno.ELOOP, errno.EACCES)
"""Errors that one name of a folder may give; others, or an empty folder now, concern them all."""


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """A file that a listing found; `version` changes when the file does."""

    url: str
    size: int
    version: str
    is_file: bool = True
    """False for folders, pipes and devices."""


def exists(url: str) -> bool:
    """Say whether there is a file or folder."""
    if is_local(url):
        return Path(local_path(url)).exists()
    return ask(url, "look up", lambda store, path: store.exists(path))


def is_file(url: str) -> bool:
    """Say whether there is a file. A store is asked for it alone, so no listing decides."""
    if is_local(url):
        return os.path.isfile(local_path(url))  # noqa: PTH113 - a Path may raise
    return ask(url, "look up", lambda store, path: store.is_file(path))


def sizes(urls: Sequence[str]) -> list[int | None]:
    """Return the sizes of many files of one store, asked for at once; None of what is not there."""
    if not urls:
        return []
    paths = [store_of(url)[1] for url in urls]
    return ask(urls[0], "look up", lambda store, _: store.sizes(paths))


def is_folder(url: str) -> bool:
    """Say whether there is a folder (on an object store: anything below this prefix)."""
    if is_local(url):
        return os.path.isdir(local_path(url))  # noqa: PTH112 - a Path may raise
    return ask(url, "list", lambda store, path: store.is_folder(path))


def is_within(url: str, folder: str) -> bool:
    """Say whether a URL is a folder, or lies below it."""
    if is_local(url) != is_local(folder):
        return False
    if not is_local(url):
        return f"{url}/".startswith(f"{folder.rstrip('/')}/")
    place, root = Path(local_path(url)).resolve(), Path(local_path(folder)).resolve()
    return place == root or (root.is_dir() and root in place.parents)


def _is_pattern(part: str) -> bool:
    return any(character in part for character in "*?[")


def has_glob(url: str) -> bool:
    """Say whether a URL holds glob characters and is not itself the name of a file."""
    return _is_pattern(url) and not exists(url)


def fixed_part(url: str) -> str:
    """Return what comes before the first folder or name of a URL that holds glob characters."""
    if not has_glob(url):
        return url
    parts = url.split("/")
    fixed = next(i for i, part in enumerate(parts) if _is_pattern(part))
    return "/".join(parts[:fixed]) or ("/" if fixed else ".")


def open_read(url: str) -> BinaryIO:
    """Open a file for reading bytes; the file can seek.

    What is read of a store is asked for again where that falters, in the middle of a file too.
    """
    if is_local(url):
        return Path(local_path(url)).open("rb")
    return open_store_file(url)


def read_bytes(url: str) -> bytes:
    """Read a whole file."""
    if is_local(url):
        return Path(local_path(url)).read_bytes()
    return ask(url, "read", lambda store, path: store.read_all(path))


def sha256_of(url: str) -> str:
    """Return the sha256 of a file, as `sha256sum` prints it."""
    with open_read(url) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _version(entry: dict[str, Any]) -> str:
    """Take what marks a file's content: its size with an entity tag or a modification time.

    An HTTP server may tell nothing: then it is empty.
    """
    for name in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "created"):
        if entry.get(name) is not None:
            return f"{entry.get('size')}:{entry[name]}"
    return "" if entry.get("size") is None else str(entry["size"])


def _local_info(url: str) -> FileInfo:
    """Look a local file up, behind its symbolic links."""
    # Called once a row of a corpus, and a Path costs more than the call.
    found = os.stat(local_path(url))  # noqa: PTH116
    version = f"{found.st_size}:{found.st_mtime_ns}"
    regular = stat.S_ISREG(found.st_mode)
    return FileInfo(url=url, size=found.st_size, version=version, is_file=regular)


def info(url: str) -> FileInfo:
    """Look a file or folder up.

    Raises:
        FileNotFoundError: there is none.
        PermissionError: the store refuses it.
        StorageError: the store cannot be asked.

    """
    if is_local(url):
        return _local_info(url)
    entry = ask(url, "look up", lambda store, path: store.info(path))
    return FileInfo(
        url=url,
        size=int(entry.get("size") or 0),
        version=_version(entry),
        is_file=entry.get("type") != "directory",
    )


def _url_of(path: str, like: str) -> str:
    """Give a path within a file system the form of the URL that led to it."""
    if "://" in path:  # HTTP's paths are whole URLs
        return path
    if not is_local(like):
        return f"{like.split('://', 1)[0]}://{path.lstrip('/')}"
    given = local_path(like)
    return path if Path(given).is_absolute() else os.path.relpath(path)


def list_names(folder: str) -> list[str]:
    """List the names in a folder, hidden ones too, sorted; none where there is no folder."""
    if is_local(folder):
        place = Path(local_path(folder))
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []
    path = store_of(folder)[1]
    try:
        found = [
            entry["name"].rstrip("/")
            for entry in ask(folder, "list", lambda store, path: store.entries(path))
        ]
    except FileNotFoundError:
        return []
    return sorted({name.rsplit("/", 1)[-1] for name in found if name != path.rstrip("/")})


def each_name(folder: str) -> Iterator[str]:
    """Yield the names in a folder in no order, of a local one a few in memory at a time."""
    if not is_local(folder):
        yield from list_names(folder)
        return
    if Path(local_path(folder)).is_dir():
        with os.scandir(local_path(folder)) as entries:
            yield from (entry.name for entry in entries)


def list_files(
    folder: str, leave_out: str | None = None, *, hidden: bool = False
) -> Iterator[FileInfo]:
    """Yield every file below a folder, depth first in the order of names; hidden ones on demand.

    A local link to nowhere is a file with an empty version. The folder `leave_out` is passed over.
    A store's listing may lack what was just written, and name what was removed.
    """
    if is_local(folder):
        passed = os.path.realpath(local_path(leave_out)) if leave_out else None
        yield from _list_local(local_path(folder), (), passed, hidden=hidden)
        return
    if leave_out is not None and folder.rstrip("/") == leave_out.rstrip("/"):
        return
    path = store_of(folder)[1]
    entries = {
        entry["name"]: entry
        for entry in ask(folder, "list", lambda store, path: store.entries(path))
    }
    for name, entry in sorted(entries.items()):
        if name.rstrip("/") == path or (_is_hidden(name) and not hidden):
            continue
        url = _url_of(name, folder)
        if entry["type"] == "directory":
            yield from list_files(url, leave_out, hidden=hidden)
        else:
            yield FileInfo(url=url, size=int(entry.get("size") or 0), version=_version(entry))


def _is_hidden(name: str) -> bool:
    return posixpath.basename(name.rstrip("/")).startswith(".")


def _list_local(
    folder: str, above: tuple[str, ...], passed: str | None, *, hidden: bool
) -> Iterator[FileInfo]:
    """Walk a local folder, linked folders too, but not round in circles; `above` are real paths."""
    real = os.path.realpath(folder)
    if real in above or real == passed:
        return
    names = [name for name in os.listdir(folder) if hidden or not _is_hidden(name)]  # noqa: PTH208
    for name in sorted(names):
        path = join(folder, name)
        try:
            found = _local_info(path)
        except OSError as error:
            # It may have been a folder of many files, all of which would be left out unnoticed.
            if error.errno not in _OF_ONE or not os.listdir(folder):  # noqa: PTH208
                raise
            found = FileInfo(url=path, size=0, version="")
        if found.is_file:
            yield found
        elif os.path.isdir(path):  # noqa: PTH112
            yield from _list_local(path, (*above, real), passed, hidden=hidden)


def glob(pattern: str) -> list[str]:
    """Expand a glob, sorted; files and folders."""
    if is_local(pattern):
        found = fsspec.filesystem("file").glob(str(Path(local_path(pattern)).absolute()))
        return [_url_of(path, pattern) for path in sorted(found)]
    return [
        _url_of(path, pattern)
        for path in sorted(ask(pattern, "list", lambda store, path: store.glob(path)))
    ]
