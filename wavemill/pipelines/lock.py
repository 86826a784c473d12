"""One job an output folder: the second refuses, and cannot harm the first."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

from wavemill import storage
from wavemill.errors import JobError
from wavemill.pipelines.lease import Lease
from wavemill.pipelines.outdir import LOCK

_leases: dict[str, Lease] = {}
"""Those that this process holds, by the folder."""


@contextlib.contextmanager
def locked(work: str, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold a folder's lock; the kernel frees it when the process ends, however it ends.

    On a store it is a lease. A file system in memory has neither: no other process sees it.

    Args:
        work: the spool.
        say: takes a line for the user, where a job that may have been killed is waited for.

    Raises:
        JobError: another process holds it.

    """
    if work.startswith("memory://"):
        yield
        return
    if not storage.is_local(work):
        with _leased(work, say):
            yield
        return
    place = Path(storage.local_path(work)) / LOCK
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JobError(
                f"another job is writing to {place.parent.parent}: wait for its end, or give"
                " another --out"
            ) from error
        yield


def check_held(work: str) -> None:
    """Make sure, before what cannot be undone, that a lease is still this job's.

    Raises:
        JobError: it is another's.

    """
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
