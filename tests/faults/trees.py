"""The processes of a job: which of them can be killed, and whether any is left."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import psutil

GONE_SECONDS = 5.0
"""Orphans must have ended by then."""


@dataclass(frozen=True, kw_only=True)
class Victim:
    """What can be killed at once, and what it is called in a report."""

    role: str
    pids: tuple[int, ...]

    def kill(self) -> None:
        """SIGKILL each; one that has just ended is no matter."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Tree(Protocol):
    """Finds the processes of a job by its driver's id."""

    def victims(self, driver: int, role: str) -> list[Victim]:
        """List what plays a role just now; in the order in which it was started."""

    def settle(self, driver: int) -> None:
        """Wait until nothing of a job is left whose driver has ended.

        Raises:
            AssertionError: something lives on.

        """


class LocalTree:
    """A driver in a session of its own, with all that it started."""

    roles = ("driver", "worker", "all")

    def victims(self, driver: int, role: str) -> list[Victim]:
        workers = [pid for pid in members(driver) if pid != driver]
        if role == "worker":
            return [Victim(role=role, pids=(pid,)) for pid in workers]
        # The driver first: it would see its workers die.
        return [Victim(role=role, pids=(driver, *(workers if role == "all" else ())))]

    def settle(self, driver: int) -> None:
        wait_until(lambda: not members(driver), GONE_SECONDS, f"of session {driver}")


def members(session: int) -> list[int]:
    """List the living processes of a session, oldest first."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append((process.create_time(), process.pid))
    return [pid for _, pid in sorted(found)]


def wait_until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: it does not in so many seconds.

    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"still there after {seconds:g} s: {what}"
        time.sleep(0.02)


def choose(tree: Tree, driver: int, role: str, dice: random.Random) -> Victim:
    """Choose what to kill; the driver where nothing plays the role."""
    return dice.choice(tree.victims(driver, role) or tree.victims(driver, "driver"))
