"""Files on local disks and object stores: list, open, and write so that a file is whole or absent.

URLs are what fsspec takes: a local path, `s3://...`, `gs://...`, `http(s)://...`, `memory://...`.
Local paths stay paths (no `file://`): error messages and manifests look like what was given.
"""

import contextlib
import hashlib
import os
import posixpath
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from wavemill.errors import JobError

PARTIAL = ".part"
"""Suffix of a file being written; it is garbage once its writer is gone."""
_PARTIAL_NAME = re.compile(rf"\.(?P<name>.+)\.[0-9a-f]{{8}}{re.escape(PARTIAL)}")


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


def folder_url(text: str) -> str:
    """Turn a folder as somebody wrote it into a URL: no slash at its end, `~` expanded."""
    if is_local(text):
        path = os.path.expanduser(local_path(text))  # noqa: PTH111
        return path.rstrip("/") or path[:1]
    protocol, _, path = text.partition("://")
    return f"{protocol}://{path.rstrip('/')}"


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


def fixed_part(url: str) -> str:
    """Return what comes before the first folder or name of a URL that holds glob characters."""
    if not has_glob(url):
        return url
    parts = url.split("/")
    fixed = next(i for i, part in enumerate(parts) if _is_pattern(part))
    return "/".join(parts[:fixed]) or ("/" if fixed else ".")


def list_names(folder: str) -> list[str]:
    """List the names in a folder, hidden ones too, sorted; none where there is no folder."""
    if is_local(folder):
        place = Path(local_path(folder))
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []
    system, path = filesystem(folder)
    try:
        found = system.ls(path, detail=False)
    except FileNotFoundError:
        return []
    names = {name.rstrip("/").rsplit("/", 1)[-1] for name in found if name.rstrip("/") != path}
    return sorted(names)


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


def list_files(folder: str, leave_out: str | None = None) -> Iterator[FileInfo]:
    """Yield every file below a folder, depth first in the order of names, hidden ones left out.

    A local link to nowhere is a file with an empty version. The folder `leave_out` is passed over.
    """
    if is_local(folder):
        passed = os.path.realpath(local_path(leave_out)) if leave_out else None
        yield from _list_local(local_path(folder), (), passed)
        return
    if leave_out is not None and folder.rstrip("/") == leave_out.rstrip("/"):
        return
    system, path = filesystem(folder)
    entries = {entry["name"]: entry for entry in system.ls(path, detail=True)}
    for name, entry in sorted(entries.items()):
        if posixpath.basename(name.rstrip("/")).startswith(".") or name.rstrip("/") == path:
            continue
        url = _url_of(name, folder)
        if entry["type"] == "directory":
            yield from list_files(url, leave_out)
        else:
            yield FileInfo(url=url, size=int(entry.get("size") or 0), version=_version(entry))


def _list_local(folder: str, above: tuple[str, ...], passed: str | None) -> Iterator[FileInfo]:
    """Walk a local folder, linked folders too, but not round in circles; `above` are real paths."""
    real = os.path.realpath(folder)
    if real in above or real == passed:
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
            yield from _list_local(path, (*above, real), passed)


def glob(pattern: str) -> list[str]:
    """Expand a glob, sorted; files and folders."""
    system, path = filesystem(pattern)
    return [_url_of(found, pattern) for found in sorted(system.glob(path))]


def _is_pattern(part: str) -> bool:
    return any(character in part for character in "*?[")


def has_glob(url: str) -> bool:
    """Say whether a URL holds glob characters and is not itself the name of a file."""
    return _is_pattern(url) and not exists(url)


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


def remove_empty_folders(folders: Iterable[str]) -> None:
    """Remove local folders that hold nothing but empty folders."""
    for folder in folders:
        if not is_local(folder):
            continue
        for place, _, _ in os.walk(local_path(folder), topdown=False):
            with contextlib.suppress(OSError):  # not empty: it stays
                os.rmdir(place)  # noqa: PTH106


def is_partial(name: str) -> bool:
    """Say whether a file's name is that of one being written."""
    return _PARTIAL_NAME.fullmatch(name) is not None


def remove_partial(folder: str, names: Container[str] | None = None) -> None:
    """Remove what killed writers left below a local folder, or of some files right in it.

    Args:
        folder: where; at any level if no names are given, so it must be one that only we write to.
        names: of files in the folder itself.

    """
    if not is_local(folder):
        return
    place = Path(local_path(folder))
    for path in place.rglob(f".*{PARTIAL}") if names is None else place.glob(f".*{PARTIAL}"):
        written = _PARTIAL_NAME.fullmatch(path.name)
        if written and (names is None or written["name"] in names):
            path.unlink(missing_ok=True)
