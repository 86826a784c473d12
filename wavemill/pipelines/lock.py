"""One job an output folder: the second refuses, and cannot harm the first."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from wavemill import storage
from wavemill.errors import JobError
from wavemill.pipelines.lease import Lease
from wavemill.pipelines.outdir import LOCK, check_there

_leases: dict[str, Lease] = {}
"""Those that this process holds, by the folder."""
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""What a file system says that has no locks, or whose server gives none."""


@contextlib.contextmanager
def locked(work: str, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold a folder's lock; the kernel frees it when the process ends, however it ends.

    On a store it is a lease. A file system in memory has neither: no other process sees it.

    Args:
        work: the spool.
        say: takes a line for the user, where a job that may have been killed is waited for.

    Raises:
        JobError: another process holds it, or the file system has no locks.

    """
    if work.startswith("memory://"):
        yield
        return
    if not storage.is_local(work):
        with _leased(work, say):
            yield
        return
    place = Path(storage.local_path(work)) / LOCK
    file = _open(place)
    while not _is_at(place, file):  # the job that held it has removed it at its end
        file.close()
        file = _open(place)
    storage.never_make(work)
    with file:
        yield


def check_held(work: str) -> None:
    """Make sure, before what cannot be undone, that a folder is there and still this job's.

    Raises:
        JobError: a lease is another's, or a disk gone.

    """
    check_there(work)
    if work in _leases:
        _leases[work].check()


@contextlib.contextmanager
def _leased(work: str, say: Callable[[str], None]) -> Iterator[None]:
    lease = Lease(storage.join(work, LOCK), work.rsplit("/", 1)[0], say)
    lease.take()
    _leases[work] = lease
    try:
        yield
    finally:
        del _leases[work]
        lease.release()


def _open(place: Path) -> BinaryIO:
    place.parent.mkdir(parents=True, exist_ok=True)
    file = place.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise JobError(_why(place, error)) from error
    return file


def _why(place: Path, error: OSError) -> str:
    out = place.parent.parent
    if isinstance(error, BlockingIOError):
        return f"another job is writing to {out}: wait for its end, or give another --out"
    if error.errno in NO_LOCKS:
        return (
            f"cannot lock {place}: {error.strerror}; two jobs at once would spoil the dataset, so"
            " mount the file system with locks (`flock`), or give an --out on another"
        )
    return f"cannot lock {place}: {error.strerror}; {storage.remedy(error)}"


def _is_at(place: Path, file: BinaryIO) -> bool:
    """Say whether an open file is still what lies at a place."""
    try:
        return os.path.samestat(place.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
