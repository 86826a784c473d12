"""Starts commands without the seconds that loading torch and Beam takes: a process forks itself.

What it forks is a process like any other: a session of its own, SIGKILL, workers that it starts
itself. Rounds that are many or must be quick use it; the others run `python -m wavemill`.
"""

import contextlib
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

POLL_SECONDS = 0.01
LOADED = (
    "apache_beam.runners.portability.fn_api_runner.fn_runner",
    "torch",
    "wavemill.cli",
    "wavemill.pipelines.join",
    "wavemill.pipelines.merge",
    "wavemill.pipelines.prepare",
    "wavemill.tokenizers.mvq",
)
"""What a job imports when it needs it."""


class WarmServer:
    """A process that has loaded everything; used as a context, and then called."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._ask() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(
        self, words: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> "WarmProcess":
        """Start `wavemill` with these words; both its outputs go to a file."""
        request = {"words": list(words), "log": str(log), "environment": dict(environment)}
        return WarmProcess(self, int(self._ask(request)))

    def code(self, pid: int) -> int | None:
        """Return the exit code of one that was started, as `Popen.poll` does."""
        answer = self._ask({"pid": pid})
        return None if answer == "runs" else int(answer)

    def _ask(self, request: object = None) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if request is not None:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self._process.stdout.readline().strip()


class WarmProcess:
    """A command that runs; as much of `Popen` as a harness needs."""

    def __init__(self, server: WarmServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._server.code(self.pid)
        return self._code

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(POLL_SECONDS)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait(POLL_SECONDS * 1000)


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    _load()
    print("ready", file=answers, flush=True)
    for line in requests:
        request = json.loads(line)
        if "pid" in request:
            found, status = os.waitpid(request["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if found else "runs"
        else:
            answer = os.fork() or _become(**request)
        print(answer, file=answers, flush=True)


def _load() -> None:
    logging.disable()  # Beam's import warns
    for name in LOADED:
        importlib.import_module(name)
    logging.disable(logging.NOTSET)
    logging.root.handlers.clear()  # the command sets it up


def _become(words: Sequence[str], log: str, environment: Mapping[str, str]) -> str:
    """Turn this process, a fork, into the command; it does not come back."""
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(out, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(environment)
    sys.argv = ["wavemill", *words]
    from wavemill.__main__ import run

    code: object = 1
    try:
        run()
    except SystemExit as error:
        code = error.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
    return ""


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
