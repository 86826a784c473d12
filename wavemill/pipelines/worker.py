"""A worker process on this machine: Beam's own, but quiet, and gone when its driver is.

Run as `python -m wavemill.pipelines.worker DRIVER_PID`; Beam passes the rest in the environment.
"""

import logging
import os
import shlex
import sys
import threading
import time
from pathlib import Path

POLL_SECONDS = 1.0


def command() -> str:
    """Return the shell command that starts a worker of this process."""
    return f"{shlex.quote(sys.executable)} -m {__name__} {os.getpid()}"


def main() -> None:
    """Serve until the driver says that all is done, or is no longer there."""
    # Beam's workers log their whole life to standard error; errors reach the driver as results.
    logging.disable(logging.WARNING)
    threading.Thread(target=_die_with, args=(int(sys.argv[1]),), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _die_with(driver: int) -> None:
    """Exit soon after the driver was killed: an orphan would compete with the job's next run."""
    while Path(f"/proc/{driver}").exists() or not Path("/proc").exists():
        time.sleep(POLL_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
