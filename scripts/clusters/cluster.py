"""A cluster on this machine: processes that are started, noted, waited for and stopped."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LOCALHOST = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
ROOT = Path(__file__).parents[2]


class ClusterError(Exception):
    """A cluster cannot be started; the text says why and what to do."""


def default_home() -> Path:
    """Return where libraries, logs and notes lie."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "wavemill/clusters"


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])


def fetch_json(url: str) -> Any:
    """Get what a web page of a cluster says.

    Raises:
        OSError: it does not answer.

    """
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


class Cluster(ABC):
    """Processes of an engine, noted in a file: any process can stop them."""

    name: str
    workers = 2
    """Task managers, Spark workers or Dask workers to begin with, each with a core."""

    def __init__(self, home: Path | None = None) -> None:
        """Use a folder for libraries, and one below it for this engine's notes and logs."""
        self.home = (home or default_home()).resolve()
        self.folder = self.home / self.name
        self._note = self.folder / "running.json"
        self._own: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start the engine, unless it runs, and wait until it takes jobs.

        Raises:
            ClusterError: something is missing, or does not come up.

        """
        if self.pids():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write({"ports": {}, "processes": []})
        try:
            self.launch()
            for _ in range(self.workers):
                self.grow()
            self.wait(lambda: self.ready(self.workers), f"{self.workers} workers")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all processes of the engine, and remove what they wrote but their logs.

        Engines keep a copy of each job's libraries, hundreds of megabytes a job.
        """
        pids = self.pids()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.killpg(pid, number)
            ends = time.monotonic() + STOP_SECONDS
            while any(map(self._is_alive, pids)) and time.monotonic() < ends:
                time.sleep(POLL_SECONDS)
        self._note.unlink(missing_ok=True)
        for place in self.folder.glob("*/"):
            shutil.rmtree(place, ignore_errors=True)

    @abstractmethod
    def launch(self) -> None:
        """Start what the workers need."""

    @abstractmethod
    def grow(self) -> int:
        """Start one more worker; return its process id."""

    @abstractmethod
    def ready(self, workers: int) -> bool:
        """Say whether so many workers wait for jobs."""

    @abstractmethod
    def options(self) -> list[str]:
        """Return the options that lead a job here."""

    def describe(self) -> list[str]:
        """Say for people what runs."""
        found = [p for p in self._read()["processes"] if self._is_alive(p["pid"])]
        lines = [f"  {p['role']:<12} pid {p['pid']:<8} {p['log']}" for p in found]
        return [*lines, *([f"  web page     {self.page}"] if self.page else [])]

    @property
    def page(self) -> str:
        """The address of its web page; empty if it has none."""
        return ""

    def environment(self) -> dict[str, str]:
        """Return what a job's environment needs."""
        return {}

    def pids(self, role: str = "") -> list[int]:
        """List the processes that run, of one role or all."""
        found = self._read()["processes"]
        return [p["pid"] for p in found if p["role"].startswith(role) and self._is_alive(p["pid"])]

    def port(self, role: str) -> int:
        """Return the port of a role, the same as long as the cluster runs."""
        note = self._read()
        if role not in note["ports"]:
            note["ports"][role] = free_port()
            self._write(note)
        return int(note["ports"][role])

    def spawn(
        self, role: str, command: Sequence[str], environment: dict[str, str] | None = None
    ) -> int:
        """Start a process of its own group, whose output goes into a log; return its id."""
        note = self._read()
        log = self.folder / f"{role}-{len(note['processes'])}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True, cwd=self.folder, env={**os.environ, **(environment or {})},
            )  # fmt: skip
        self._own[process.pid] = process
        note["processes"].append({"role": role, "pid": process.pid, "log": str(log)})
        self._write(note)
        return process.pid

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Wait until something holds.

        Raises:
            ClusterError: a process ended, or it takes too long.

        """
        ends = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if done():
                    return
            dead = [p for p in self._read()["processes"] if not self._is_alive(p["pid"])]
            if dead or time.monotonic() > ends:
                words = f"{dead[0]['role']} ended" if dead else f"no {what} in time"
                log = dead[0]["log"] if dead else self.folder
                raise ClusterError(f"{self.name}: {words}; see {log}")
            time.sleep(POLL_SECONDS)

    def start_pool(self) -> None:
        """Start the pool that starts Python workers for an engine of the Java world."""
        command = [
            sys.executable, "-m", "wavemill.pipelines.worker_pool",
            "--port", str(self.port("pool")), "--folder", str(self.folder / "pool"),
        ]  # fmt: skip
        self.spawn("pool", command, {"PYTHONPATH": str(ROOT)})
        self.wait(lambda: _listens(self.port("pool")), "worker pool")

    def pool_options(self) -> list[str]:
        """Return the options that lead a job's workers to the pool, with our package."""
        return [
            "--environment_type=EXTERNAL",
            f"--environment_config={LOCALHOST}:{self.port('pool')}",
            f"--setup_file={ROOT / 'setup.py'}",
        ]

    def _is_alive(self, pid: int) -> bool:
        """Say whether a process runs; of ours the exit is fetched."""
        if pid in self._own:
            return self._own[pid].poll() is None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._note.read_bytes()))
        except FileNotFoundError:
            return {"ports": {}, "processes": []}

    def _write(self, note: dict[str, Any]) -> None:
        self._note.write_text(json.dumps(note, indent=1))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOCALHOST, port)) == 0
