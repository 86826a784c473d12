"""A disk that fails from some operation on, and a command line that runs in this process on it."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from wavemill import cli
from wavemill.storage import writing

PROGRESS = ("ingest:", "units:", "shards:", "publish:", "read back:", "near-duplicates:")

FULL = ("write", "create", "mkdir", "sync")
READ_ONLY = ("create", "mkdir", "rename", "remove")
READS = ("look", "list", "open", "read")
LOST = (*FULL, *READ_ONLY, *READS)
"""Which operations fail on a disk that is full, read-only, or gone."""


@dataclass(kw_only=True)
class Disk:
    """A folder whose operations fail from one on; it counts them."""

    root: Path
    kinds: Sequence[str]
    code: int
    """An errno."""
    number: int
    """Of the first operation that fails."""
    last: int = 1 << 60
    """Of the last one that does."""
    count: int = field(default=0)
    errors: int = field(default=0)

    def meet(self, kind: str, path: Any, *, named: bool = True) -> None:
        """Count an operation, and fail if its time has come.

        Raises:
            OSError: it has.

        """
        if kind not in self.kinds or not f"{os.fspath(path)}/".startswith(f"{self.root}/"):
            return
        self.count += 1
        if self.number < self.count <= self.last:
            self.errors += 1
            words = os.strerror(self.code)
            raise OSError(self.code, words, *([os.fspath(path)] if named else []))


@contextlib.contextmanager
def failing(disk: Disk) -> Iterator[None]:
    """Let a disk fail for as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:

        def wrap(owner: Any, name: str, kind: str) -> None:
            original: Callable[..., Any] = getattr(owner, name)

            def call(path: Any, *more: Any, **named: Any) -> Any:
                if isinstance(path, (str, os.PathLike)):
                    disk.meet(kind, path)
                return original(path, *more, **named)

            patch.setattr(owner, name, call)

        for name, kind in {
            "stat": "look", "listdir": "list", "scandir": "list", "mkdir": "mkdir",
            "replace": "rename", "unlink": "remove", "rmdir": "remove",
        }.items():  # fmt: skip
            wrap(os, name, kind)
        wrap(pa, "memory_map", "open")
        _wrap_files(disk, patch)
        yield


def _wrap_files(disk: Disk, patch: pytest.MonkeyPatch) -> None:
    path_open, sync = Path.open, os.fsync

    class File(writing._TellingFile):
        def __init__(self, path: Path, url: str) -> None:
            disk.meet("create", path)
            super().__init__(path, url)

        def write(self, data: Any) -> int:
            with writing._telling(self._url):
                disk.meet("write", self.name, named=False)
            return super().write(data)

    class Source(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            disk.meet("read", self.name, named=False)
            return super().readinto(buffer) or 0

    def open_path(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        disk.meet("create" if "w" in mode else "open", path)
        if mode == "rb":
            return io.BufferedReader(Source(path))
        return path_open(path, mode, *more, **named)

    def sync_file(number: int) -> None:
        disk.meet("sync", Path(f"/proc/self/fd/{number}").readlink(), named=False)
        sync(number)

    patch.setattr(writing, "_TellingFile", File)
    patch.setattr(Path, "open", open_path)
    patch.setattr(os, "fsync", sync_file)


def run_here(*words: Any) -> tuple[int, list[str]]:
    """Run the command line in this process; return its exit code, and what it says but progress."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["wavemill", *map(str, words)])
        with contextlib.redirect_stderr(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
            cli.run()
    lines = [line for line in said.getvalue().splitlines() if not line.startswith(PROGRESS)]
    return int(ended.value.code or 0), lines


__all__ = ["FULL", "LOST", "READS", "READ_ONLY", "Disk", "errno", "failing", "run_here"]
