"""What an error of a local file means: whether it is the file's own, and what to do about it."""

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where a file cannot grow."""
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""The machine, or what a process may have of it, is used up."""
LOST = (
    errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.EREMOTEIO, errno.ESHUTDOWN, errno.ECONNRESET, errno.ECONNABORTED,
)  # fmt: skip
"""What a mount says that was lost."""
_PROBE_BYTES = 1 << 20


def remedy(error: OSError) -> str:
    """Say what to do about an error of the disk or the machine."""
    if error.errno in FULL:
        return "make room on the disk"
    if error.errno in CLOSED:
        return "make it writable, or name another place"
    if error.errno in SHORT:
        return "raise the limit (`ulimit -n` for open files), or give fewer --workers"
    return "see that the disk is there and whole"


def is_of_the_file(path: str, error: OSError) -> bool:
    """Say whether a file cannot be read for a reason of its own, which will hold tomorrow too.

    A damaged sector is its own; a lost mount, or too many open files, is not. A mount may come
    back at once: what could not be read, and now can, was no fault of the file either.
    """
    if error.errno in (*SHORT, *LOST):
        return False
    return error.errno != errno.EIO or (_can_list(os.path.dirname(path)) and not _can_read(path))  # noqa: PTH120


def _can_list(folder: str) -> bool:
    try:
        with os.scandir(folder or ".") as entries:
            next(entries, None)
    except OSError:
        return False
    return True


def _can_read(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            while file.read(_PROBE_BYTES):
                pass
    except OSError:
        return False
    return True
