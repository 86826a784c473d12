"""Write so that a file is whole or absent, and remove."""

import contextlib
import errno
import io
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from wavemill.errors import JobError
from wavemill.storage.asking import ask, store_of
from wavemill.storage.disks import remedy
from wavemill.storage.urls import is_local, local_path

PARTIAL = ".part"
"""Suffix of a file being written; it is garbage once its writer is gone."""

_PARTIAL_NAME = re.compile(rf"\.(?P<name>.+)\.[0-9a-f]{{8}}{re.escape(PARTIAL)}")
_never_made: set[Path] = set()


def never_make(folder: str) -> None:
    """Have no writer of this process make a local folder from now on, only what goes below it.

    A job's folder is there from its beginning. Where it went, with its disk, nothing is to begin
    anew in the folder that lies beneath: writers fail then, whenever it went.
    """
    if is_local(folder):
        _never_made.add(Path(local_path(folder)).absolute())


def make_folder(url: str) -> None:
    """Make a folder and its parents; object stores have none and need none."""
    if is_local(url):
        Path(local_path(url)).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def write_atomically(url: str) -> Iterator[BinaryIO]:
    """Open a file that appears under its name whole, when the block ends, or never.

    Local files are written beside their place, flushed to disk and renamed. For an object store
    the file grows in the temporary folder and is put in one upload, which stores commit at its end;
    that the store holds what it was sent is checked.

    Raises:
        JobError: the disk is full, read-only, or gone.
        StorageError: the store does not take it.

    """
    if is_local(url):
        with _write_local(url) as file:
            yield file
        return
    with _telling(url):
        folder = Path(tempfile.mkdtemp(prefix="wavemill-"))
    try:
        partial = folder / "upload"
        with _grown(partial, url) as file:
            yield file
        ask(url, "write", lambda store, path: store.put(path, partial))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _write_local(url: str) -> Iterator[BinaryIO]:
    place = Path(local_path(url))
    partial = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        with _telling(url):
            _make_above(place.absolute())
        with _grown(partial, url) as file:
            yield file
        with _telling(url):
            partial.replace(place)
    finally:
        with contextlib.suppress(OSError):  # where the disk fails, that has been said
            partial.unlink(missing_ok=True)


def _make_above(place: Path) -> None:
    folder = place.parent
    if not folder.is_dir() and folder not in _never_made:
        _make_above(folder)
        folder.mkdir(exist_ok=True)


@contextlib.contextmanager
def _grown(partial: Path, url: str) -> Iterator[BinaryIO]:
    """Open a new file, and flush it to disk when the block ends."""
    with _telling(url):
        raw = _TellingFile(partial, url)
    # Its `write` tells by itself: in the block, other files may fail too.
    with io.BufferedWriter(raw) as file:
        yield cast("BinaryIO", file)
        file.flush()
        with _telling(url):
            os.fsync(file.fileno())


class _TellingFile(io.FileIO):
    """A file that says what could not be written, and what to do about it."""

    def __init__(self, path: Path, url: str) -> None:
        super().__init__(path, "wb")
        self._url = url

    def write(self, data: Any) -> int:
        with _telling(self._url):
            return super().write(data)


@contextlib.contextmanager
def _telling(url: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        words = error.strerror or str(error)
        where = "" if is_local(url) else f" of {_temporary()} (TMPDIR)"
        raise JobError(f"cannot write {url}: {words}; {remedy(error)}{where}") from error


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:  # there is none that can be written
        return "temporary files"


def check_writable(url: str) -> None:
    """Try whether a file can be written, before the work for it is done.

    Raises:
        JobError: it cannot.

    """
    if not is_local(url):
        return
    place = Path(local_path(url))
    try:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place.parent):
            pass
    except OSError as error:
        raise JobError(f"cannot write {url}: {error.strerror}; give another place") from error


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
    ask(url, "remove", lambda store, path: store.remove(path))


def remove_files(urls: Sequence[str]) -> None:
    """Remove files of one place, no folders; what is not there is no error."""
    if not urls or is_local(urls[0]):
        for url in urls:
            Path(local_path(url)).unlink(missing_ok=True)
        return
    paths = [store_of(url)[1] for url in urls]
    ask(urls[0], "remove", lambda store, _: store.remove_files(paths))


def remove_empty_folders(folders: Iterable[str]) -> None:
    """Remove the local ones of some folders that hold nothing, in the order given."""
    for folder in filter(is_local, folders):
        with contextlib.suppress(OSError):  # not empty, or not there
            Path(local_path(folder)).rmdir()


def is_partial(name: str, of: Container[str] | None = None) -> bool:
    """Say whether a file's name is that of one being written, of these names if any are given."""
    written = _PARTIAL_NAME.fullmatch(name)
    return written is not None and (of is None or written["name"] in of)


def remove_partial(folder: str, names: Container[str] | None = None) -> None:
    """Remove what killed writers left below a folder, or of some files right in it.

    On a store that is parts of uploads, which are paid for but not listed; where it does not let us
    see them, its own rules must remove them (README).

    Args:
        folder: where; at any level if no names are given, so it must be one that only we write to.
        names: of files in the folder itself.

    """
    if not is_local(folder):
        if names is None:
            with contextlib.suppress(OSError):
                ask(folder, "list the uploads below", lambda store, path: store.abort_uploads(path))
        return
    place = Path(local_path(folder))
    for path in place.rglob(f".*{PARTIAL}") if names is None else place.glob(f".*{PARTIAL}"):
        if is_partial(path.name, names):
            path.unlink(missing_ok=True)
