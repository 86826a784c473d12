"""A folder of whole files, named by their sha256, that processes of a machine share.

A file is written beside its place, by one process that holds its lock, and renamed when it is whole
and has its sha256. Locks are of the system (`flock`): who is killed holds none. Whoever reads a
file holds a lock too, which it shares with other readers; a file that nobody reads may be evicted.

The modification time of a file is set to a number out of its sha256. A file that was written to
since has another, and is verified anew.
"""

import contextlib
import fcntl
import hashlib
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path

from wavemill.errors import JobError

PARTIAL = ".part"
LOCK = ".lock"


class Cache:
    """A folder of at most so many bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Make the folder.

        Raises:
            JobError: it cannot be written.

        """
        self.folder, self.limit = folder, limit
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                pass
        except OSError as error:
            raise self.failed(error) from error

    def failed(self, error: OSError) -> JobError:
        """Say in a line that the cache cannot be used."""
        return JobError(
            f"cannot write the cache {self.folder}: {error.strerror}; make room on its disk, give"
            f" less than cache_gb={self.limit / 1e9:g}, or give another folder"
        )

    def find(self, digest: str, size: int) -> memoryview | None:
        """Map a file, if it is there as it should be; it is not evicted while it is mapped."""
        path = self.folder / digest
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if not _lock(descriptor, fcntl.LOCK_SH):
                return None  # somebody evicts it
            found = os.fstat(descriptor)
            # The lock is that of the open file, of which the mapping keeps a copy.
            if found.st_size == size:
                data = map_whole(descriptor)
                if found.st_mtime_ns == _mark(digest) or _is_whole(data, digest):
                    _touch(path, digest)
                    return data
            path.unlink(missing_ok=True)
            return None
        finally:
            os.close(descriptor)

    def begin(self, digest: str) -> int | None:
        """Open the place where a file is written; None while somebody else writes it."""
        path = self.folder / f"{digest}{PARTIAL}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if _lock(descriptor, fcntl.LOCK_EX):
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == path.stat().st_ino:
                    return descriptor
        os.close(descriptor)
        return None

    def reserve(self, descriptor: int, size: int) -> bool:
        """Evict files until there is room for this one; False if there is none to be had."""
        os.ftruncate(descriptor, 0)
        with self._locked():
            over = sum(found.st_size for _, found in self._files()) + size - self.limit
            if over > 0:
                over -= self._evict(over)
            if over > 0:
                return False
            os.ftruncate(descriptor, size)
        return True

    def finish(self, descriptor: int, digest: str) -> memoryview | None:
        """Put a file in its place if it has its sha256, and map it."""
        data = map_whole(descriptor)
        if not _is_whole(data, digest):
            return None
        os.fsync(descriptor)
        partial = self.folder / f"{digest}{PARTIAL}"
        _touch(partial, digest)
        partial.rename(self.folder / digest)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return data

    def end(self, digest: str, descriptor: int) -> None:
        """Remove what was written of a file, unless it is in its place, and unlock it."""
        partial = self.folder / f"{digest}{PARTIAL}"
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == partial.stat().st_ino:
                partial.unlink()
        os.close(descriptor)

    def last_written(self, digest: str) -> float:
        """Return when something was written of a file that is not finished; 0 if there is none."""
        try:
            return (self.folder / f"{digest}{PARTIAL}").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _evict(self, over: int) -> int:
        """Remove files that nobody reads or writes, least recently used first; return bytes."""
        freed = 0
        for path, _ in sorted(self._files(), key=lambda file: file[1].st_atime_ns):
            if freed >= over:
                break
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    if _lock(descriptor, fcntl.LOCK_EX):
                        path.unlink()
                        freed += os.fstat(descriptor).st_size
                finally:
                    os.close(descriptor)
        return freed

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        """List what is there; meanwhile others rename and remove."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.name != LOCK and entry.is_file():
                        found.append((Path(entry.path), entry.stat()))
        return found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the whole folder."""
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def map_whole(descriptor: int) -> memoryview:
    """Map an open file, which is not empty."""
    return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def _lock(descriptor: int, kind: int) -> bool:
    """Lock an open file if nobody else does."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_whole(data: memoryview, digest: str) -> bool:
    return hashlib.sha256(data).hexdigest() == digest


def _mark(digest: str) -> int:
    """Return the modification time of a file that was verified, in nanoseconds."""
    return int(digest[:7], 16) * 10**9


def _touch(path: Path, digest: str) -> None:
    """Note that a file is as it should be, and used now."""
    with contextlib.suppress(OSError):  # it may be another user's, or evicted
        os.utime(path, ns=(time.time_ns(), _mark(digest)))
