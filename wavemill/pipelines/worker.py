"""A worker process on this machine: Beam's own, but quiet, and gone when its driver is.

Run as `python -m wavemill.pipelines.worker LINK TARGET`; Beam passes the rest in the environment.
"""

import contextlib
import gc
import logging
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from wavemill.cores import cores_each
from wavemill.garbage import begin_loading
from wavemill.pipelines import turns, whereabouts
from wavemill.pipelines.shared_memory import shared

POLL_SECONDS = 0.1
THREADS = "OMP_NUM_THREADS"
"""Of the environment: what torch, BLAS and faiss take from there, and what a user may have set."""


@contextlib.contextmanager
def command(workers: int) -> Iterator[tuple[str, int | None]]:
    """Give the command that starts one of some workers, which ends with the block or this process.

    With it comes the descriptor of the memory in which workers note their whereabouts.
    """
    with (
        lifeline() as (link, target),
        shared(whereabouts.NAME) as (notes, at),
        shared(turns.NAME) as (_, next_turn),
    ):
        words = [
            *("env", f"{whereabouts.VARIABLE}={at}", f"{turns.VARIABLE}={next_turn}"),
            f"{THREADS}={os.environ.get(THREADS) or cores_each(workers)}",
            *(sys.executable, "-m", __name__, link, target),
        ]
        # Ctrl-C reaches all processes of a terminal; what to do about it is the driver's business.
        yield f"trap '' INT TERM; exec {shlex.join(words)}", notes


@contextlib.contextmanager
def lifeline() -> Iterator[tuple[str, str]]:
    """Give a link, and what it points to until the block or this process ends, however it does."""
    # An open pipe: its entry in /proc goes with the pipe or with the process.
    ends = os.pipe()
    link = f"/proc/{os.getpid()}/fd/{ends[0]}"
    try:
        yield link, _target(link)
    finally:
        for end in ends:
            os.close(end)


def main() -> None:
    """Serve until the driver says that all is done, or needs no worker any more."""
    begin_loading()
    # Beam's workers log their whole life to standard error; errors reach the driver as results.
    logging.disable(logging.CRITICAL)
    threading.Thread(target=_die_with, args=sys.argv[1:3], daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main

    # It prints the traceback of what fails, which the driver gets and says in a line.
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    sdk_worker_main.main(sys.argv)
    gc.freeze()  # the driver waits for the end, and a last look for cycles takes a second


def _target(link: str) -> str:
    """Say what a link points to: something if there is no /proc, nothing if it is gone."""
    if not Path("/proc").exists():
        return "unknown"
    try:
        return str(Path(link).readlink())
    except OSError:
        return ""


def _die_with(link: str, target: str) -> None:
    """Exit soon after the driver was killed: an orphan would compete with the job's next run."""
    while _target(link) == target:
        time.sleep(POLL_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
