"""What was sent and what was answered: a file that only grows, a line an event.

    {"sent": KEY, "most": [PROMPT, COMPLETION]}     before a request leaves
    {"answer": KEY, "text": ..., "is_cut": ..., "tokens": [PROMPT, COMPLETION]}
    {"free": KEY}                                   it failed, and cost nothing
    {"lost": KEY}                                   it failed, and may have been counted

A process may end at any byte. Lines that are whole stand; what was sent and has no line after it
may have cost as much as `most` says, and is counted so: a budget is kept however often a job dies.
"""

import fcntl
import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wavemill.errors import JobError
from wavemill.hypotheses.llm.base import Answer

SYNC_SECONDS = 2.0
"""Machines may lose what was written last when they fail; no more than that."""


class Journal:
    """Answers by key; written by one thread, read by any."""

    def __init__(self, file: Any, name: str) -> None:
        """Read what is there; `opened` makes one."""
        self._file, self._name = file, name
        self._places: dict[str, tuple[int, int]] = {}
        self._open: dict[str, list[int]] = {}
        self.answered_tokens = [0, 0]
        """Of all answers so far: of the questions, and of what was said."""
        self.lost_tokens = [0, 0]
        """That requests without an answer may have cost."""
        self._end, self._synced = 0, time.monotonic()
        for line in file:
            self._take(line)
            self._end += len(line)
        for most in self._open.values():
            self._add(self.lost_tokens, most)
        self._open.clear()

    def __len__(self) -> int:
        return len(self._places)

    def keys(self) -> Collection[str]:
        """Return the keys of what was answered."""
        return self._places.keys()

    def get(self, key: str) -> Answer | None:
        """Return an answer, or None."""
        if key not in self._places:
            return None
        start, size = self._places[key]
        row = json.loads(os.pread(self._file.fileno(), size, start))
        prompt, completion = row["tokens"]
        return Answer(
            text=row["text"],
            is_cut=row["is_cut"],
            prompt_tokens=prompt,
            completion_tokens=completion,
        )

    def sent(self, key: str, prompt: int, completion: int) -> None:
        """Note that a question is about to be asked, and what it may cost."""
        self._write({"sent": key, "most": [prompt, completion]})

    def answered(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        tokens = [answer.prompt_tokens, answer.completion_tokens]
        self._write({"answer": key, "text": answer.text, "is_cut": answer.is_cut, "tokens": tokens})

    def failed(self, key: str, *, is_billed: bool) -> None:
        """Note that a question was not answered."""
        self._write({"lost" if is_billed else "free": key})

    def sync(self) -> None:
        """Have what was written survive the machine."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _write(self, row: dict[str, Any]) -> None:
        line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        try:
            os.write(self._file.fileno(), line)
        except OSError as error:
            words = error.strerror or str(error)
            raise JobError(f"cannot write {self._name}: {words}; make room there") from error
        self._take(line)
        self._end += len(line)
        if time.monotonic() - self._synced > SYNC_SECONDS:
            self.sync()

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            kind, key = next(iter(row.items()))
        except (ValueError, AttributeError, StopIteration):  # a process ended in its middle
            return
        if kind == "sent":
            if key in self._open:  # by a process that ended
                self._add(self.lost_tokens, self._open[key])
            self._open[key] = row["most"]
            return
        most = self._open.pop(key, [0, 0])
        if kind == "answer":
            self._places[key] = self._end, len(line)
            self._add(self.answered_tokens, row["tokens"])
        elif kind == "lost":
            self._add(self.lost_tokens, most)

    @staticmethod
    def _add(total: list[int], tokens: list[int]) -> None:
        total[0] += tokens[0]
        total[1] += tokens[1]


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open a journal for one process at a time; the kernel frees it however that ends.

    Raises:
        JobError: another process has it, or it cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=1 << 16)
    except OSError as error:
        raise JobError(f"cannot write {path}: {error.strerror}; give --cache FOLDER") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = "another job asks the same model the same; wait for it, or end it"
            raise JobError(f"{path} is in use: {words}") from None
        except OSError as error:
            words = f"{error.strerror}; give --cache FOLDER on a disk of this machine"
            raise JobError(f"{path} cannot be locked: {words}") from error
        _end_line(file)
        file.seek(0)
        journal = Journal(file, str(path))
        try:
            yield journal
        finally:
            journal.sync()


def read(path: Path) -> Collection[str]:
    """Return the keys of what was answered, without a lock; none if there is no journal."""
    if not path.exists():
        return ()
    with path.open("rb") as file:
        return Journal(file, str(path)).keys()


def _end_line(file: Any) -> None:
    """Keep a line that was cut from spoiling the next one."""
    size = file.seek(0, os.SEEK_END)
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        os.write(file.fileno(), b"\n")
