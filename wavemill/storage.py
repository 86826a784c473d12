"""Files on local disks and object stores: list, open, and write so that a file is whole or absent.

URLs are what fsspec takes: a local path, `s3://...`, `gs://...`, `http(s)://...`, `memory://...`.
Local paths stay paths (no `file://`): error messages and manifests look like what was given.
"""

import contextlib
import os
import posixpath
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from wavemill.errors import JobError

PARTIAL = ".part"
"""Suffix of a file being written; whatever bears it is garbage once its writer is gone."""


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """A file that a listing found; `version` changes when the file does."""

    url: str
    size: int
    version: str
    is_file: bool = True
    """False for folders, pipes and devices."""


def is_local(url: str) -> bool:
    """Say whether a URL is a path on this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> str:
    """Turn a local URL into a plain path."""
    return url.removeprefix("file://")


@lru_cache(maxsize=64)
def _filesystem(protocol: str) -> Any:
    # A cached listing grows with the corpus and goes stale while others write.
    return fsspec.filesystem(protocol, use_listings_cache=False)


def filesystem(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path within it."""
    if is_local(url):
        return _filesystem("file"), str(Path(local_path(url)).absolute())
    protocol = url.split("://", 1)[0]
    try:
        found = _filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise JobError(f"cannot read {url}: {error}") from error
    return found, found._strip_protocol(url)  # noqa: SLF001 - fsspec's documented way


def join(url: str, *parts: str) -> str:
    """Append path parts to a URL."""
    return posixpath.join(url, *parts)


def exists(url: str) -> bool:
    """Say whether there is a file or folder."""
    if is_local(url):
        return Path(local_path(url)).exists()
    system, path = filesystem(url)
    return bool(system.exists(path))


def is_folder(url: str) -> bool:
    """Say whether there is a folder (on an object store: anything below this prefix)."""
    system, path = filesystem(url)
    return bool(system.isdir(path))


def is_within(url: str, folder: str) -> bool:
    """Say whether a URL is a folder, or lies below it."""
    if is_local(url) != is_local(folder):
        return False
    if not is_local(url):
        return f"{url}/".startswith(f"{folder.rstrip('/')}/")
    place, root = Path(local_path(url)).resolve(), Path(local_path(folder)).resolve()
    return place == root or (root.is_dir() and root in place.parents)


def may_hold_dataset(url: str) -> bool:
    """Say whether a local folder is new, empty, or one that a job has written to before."""
    place = Path(local_path(url))
    if not is_local(url) or not place.is_dir() or not any(place.iterdir()):
        return True
    return (place / "_work" / "lock").exists() or (place / "dataset.json").exists()


def open_read(url: str) -> BinaryIO:
    """Open a file for reading bytes; the file can seek."""
    if is_local(url):
        return Path(local_path(url)).open("rb")
    system, path = filesystem(url)
    return cast("BinaryIO", system.open(path, "rb"))


def read_bytes(url: str) -> bytes:
    """Read a whole file."""
    with open_read(url) as file:
        return file.read()


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
    """Look a file or folder up; raise FileNotFoundError where there is none."""
    if is_local(url):
        return _local_info(url)
    system, path = filesystem(url)
    entry = system.info(path)
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


def list_files(folder: str) -> Iterator[FileInfo]:
    """Yield every file below a folder, depth first in the order of names, hidden ones left out.

    A local link to nowhere is a file with an empty version.
    """
    if is_local(folder):
        yield from _list_local(local_path(folder), ())
        return
    system, path = filesystem(folder)
    entries = {entry["name"]: entry for entry in system.ls(path, detail=True)}
    for name, entry in sorted(entries.items()):
        if posixpath.basename(name.rstrip("/")).startswith(".") or name.rstrip("/") == path:
            continue
        url = _url_of(name, folder)
        if entry["type"] == "directory":
            yield from list_files(url)
        else:
            yield FileInfo(url=url, size=int(entry.get("size") or 0), version=_version(entry))


def _list_local(folder: str, above: tuple[str, ...]) -> Iterator[FileInfo]:
    """Walk a local folder, linked folders too, but not round in circles; `above` are real paths."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for name in sorted(name for name in os.listdir(folder) if not name.startswith(".")):  # noqa: PTH208
        path = join(folder, name)
        try:
            found = _local_info(path)
        except OSError:
            found = FileInfo(url=path, size=0, version="")
        if found.is_file:
            yield found
        elif os.path.isdir(path):  # noqa: PTH112
            yield from _list_local(path, (*above, real))


def glob(pattern: str) -> list[str]:
    """Expand a glob, sorted; files and folders."""
    system, path = filesystem(pattern)
    return [_url_of(found, pattern) for found in sorted(system.glob(path))]


def has_glob(url: str) -> bool:
    """Say whether a URL holds glob characters and is not itself the name of a file."""
    return any(character in url for character in "*?[") and not exists(url)


def make_folder(url: str) -> None:
    """Make a folder and its parents; object stores have none and need none."""
    if is_local(url):
        Path(local_path(url)).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def write_atomically(url: str) -> Iterator[BinaryIO]:
    """Open a file that appears under its name whole, when the block ends, or never.

    Local files are written beside their place, flushed to disk and renamed. For an object store
    the file grows in the temporary folder and is put in one upload, which stores commit at its end.
    """
    if is_local(url):
        place = Path(local_path(url))
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    else:
        place, partial = None, Path(tempfile.mkdtemp(prefix="wavemill-")) / "upload"
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if place is not None:
            partial.replace(place)
        else:
            system, path = filesystem(url)
            system.put_file(str(partial), path)
    finally:
        partial.unlink(missing_ok=True)
        if place is None:
            shutil.rmtree(partial.parent, ignore_errors=True)


def write_bytes(url: str, data: bytes) -> None:
    """Write a small file atomically."""
    with write_atomically(url) as file:
        file.write(data)


def write_text(url: str, lines: Iterable[str]) -> None:
    """Write lines of text atomically, each ended by a newline."""
    with write_atomically(url) as file:
        for line in lines:
            file.write(line.encode("utf-8", "surrogateescape") + b"\n")


def remove(url: str) -> None:
    """Remove a file or a folder with all that is in it; what is not there is no error."""
    if is_local(url):
        path = Path(local_path(url))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        return
    system, path_within = filesystem(url)
    if system.exists(path_within):
        system.rm(path_within, recursive=True)


def remove_partial(folder: str) -> None:
    """Remove what killed writers left below a local folder."""
    if is_local(folder):
        for path in Path(local_path(folder)).rglob(f".*{PARTIAL}"):
            path.unlink(missing_ok=True)
