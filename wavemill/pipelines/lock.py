"""One job an output folder: the second refuses, and cannot harm the first."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from wavemill import storage
from wavemill.errors import JobError
from wavemill.pipelines.outdir import LOCK


@contextlib.contextmanager
def locked(work: str) -> Iterator[None]:
    """Hold a folder's lock; the kernel frees it when the process ends, however it ends.

    Object stores have no such lock; there, files are committed whole and two jobs with the same
    settings write the same bytes.

    Raises:
        JobError: another process holds it.

    """
    if not storage.is_local(work):
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
