"""A command that runs, as the harness starts it and sees it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Process(Protocol):
    """As much of `Popen` as is needed."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float) -> int: ...

    def kill(self) -> None: ...


Start = Callable[[Sequence[str], Path, Mapping[str, str]], Process]
"""Takes wavemill's arguments, a file for both outputs, and variables of the environment."""


def start_command(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start `python -m wavemill` in a session of its own, as a user does."""
    with log.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "wavemill", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **environment},
            start_new_session=True,
        )
