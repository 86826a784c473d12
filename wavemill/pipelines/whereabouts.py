"""What each worker process is at, for the line that is printed should it die.

A process that the system kills, or that crashes, says nothing. So it writes down what it begins, in
memory that its driver shares with all its workers.
"""

import os
from pathlib import Path

VARIABLE = "WAVEMILL_WHEREABOUTS"
"""Of the environment: where that memory can be opened."""
NAME = "wavemill-whereabouts"
_BYTES = 4096
"""Of a note. Each process has a place of its own, by its id; only what is used is allocated."""
_open: dict[int, int] = {}
"""The descriptor of the memory, by the process: another may be forked from it."""


def note(words: str) -> None:
    """Note what this process is about to do; nothing where no driver wants to know."""
    place = os.environ.get(VARIABLE)
    if not place:
        return
    process = os.getpid()
    try:
        if process not in _open:
            _open[process] = os.open(place, os.O_WRONLY)
        text = words.encode("utf-8", "backslashreplace")[:_BYTES]
        os.pwrite(_open[process], text.ljust(_BYTES, b"\0"), process * _BYTES)
    except OSError:  # the driver is gone, say: the note is not worth the job
        return


def last_words(memory: int | None) -> str:
    """Say what the processes were at that are not there any more; empty if that is not known."""
    found = []
    place = 0
    while memory is not None:
        try:
            process = os.lseek(memory, place, os.SEEK_DATA) // _BYTES
        except OSError:  # there is no more
            break
        if not _lives(process):
            text = os.pread(memory, _BYTES, process * _BYTES)
            found.append(text.rstrip(b"\0").decode("utf-8", "replace"))
        place = (process + 1) * _BYTES
    return ", ".join(found)


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in "ZX"
