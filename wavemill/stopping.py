"""Ctrl-C and SIGTERM: one line and the signal's exit code, whatever the process was at.

The first signal unwinds the main thread: half-written files go, the terminal is as it was. Where
that takes long (a call into C, a step that Beam has begun) or a second signal comes, the process
ends at once; nothing it may leave behind can harm a later run.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

GRACE_SECONDS = 3.0
LINE = (
    "wavemill: stopped; give the same command again, and `prepare`, `add` and `merge` go on where"
    " they stood\n"
)
SHOW_CURSOR = "\x1b[?25h"


class _State:
    code: int | None = None
    """The exit code, once a signal came."""
    unwinds = True
    """False when there is nothing left to unwind."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """End the process when a signal comes while the block runs, or after it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` and `&` leave it
            signal.signal(number, _stop)
    try:
        yield
    finally:
        _State.unwinds = False
        leave_if_stopped()


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Callable[[], int | None]]:
    """Note the first signal, and act on none but a second one while the block runs.

    It gives a function that returns the exit code of the signal that came, or None. For work that
    has something to save at its next step.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, _: FrameType | None) -> None:
        came.append(128 + number)
        for known, handler in before.items():
            signal.signal(known, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    try:
        yield lambda: came[0] if came else None
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)


def leave_if_stopped() -> None:
    """End the process if a signal came: an error that follows one is no news."""
    if _State.code is not None:
        _leave()


def _stop(number: int, frame: FrameType | None) -> None:
    again = _State.code is not None
    _State.code = 128 + number
    if again or not _State.unwinds or _is_importing(frame):
        _leave()
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    # `threading` takes locks that the main thread may hold just now.
    _thread.start_new_thread(_insist, ())
    # Unlike KeyboardInterrupt it prints nothing, wherever it surfaces.
    raise SystemExit(_State.code)


def _is_importing(frame: FrameType | None) -> bool:
    """Say whether a module is being loaded: C++ in one may abort at an exception from Python."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _insist() -> None:
    time.sleep(GRACE_SECONDS)
    _leave()


def _leave() -> NoReturn:
    """Say so and end the process, all threads with it; the exit waits for none of them."""
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            # Not through Python's buffers: another thread may hold them.
            number = sys.stderr.fileno()
            os.write(number, f"{SHOW_CURSOR if os.isatty(number) else ''}{LINE}".encode())
    os._exit(_State.code or 1)
