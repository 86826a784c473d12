"""How many cores there are for this process."""

import os


def cores() -> int:
    """Return how many cores this process may use; all there are where a system limits none."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_each(processes: int) -> int:
    """Return each one's share where processes share them: at least one core.

    Threads beyond it would wait for each other.
    """
    return max(1, cores() // processes)
