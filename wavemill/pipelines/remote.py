"""A job on another engine: what it is told beyond what the user says, and that it ends with us."""

import contextlib
import re
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavemill.digest import digest
from wavemill.pipelines import worker
from wavemill.pipelines.flink import cancel_jobs

DASK = "apache_beam.runners.dask.dask_runner"
_MODULES = {"DaskRunner": f"{DASK}.DaskRunner"}
"""Runners that Beam knows by their whole name alone."""
FLINK = "FlinkRunner"
_JOB_SERVERS = (FLINK, "SparkRunner")
"""Runners for which Beam starts a job server, in Java, beside the driver."""
_LAUNCHER = "job_server_java_launcher"

ORPHAN_SECONDS = 30.0
STOP_SECONDS = 2.0
"""Less than a stopped process has before it ends in any case (`stopping.py`)."""

_LEASHED = """#!/bin/sh
# Java, which ends with the driver that it serves.
java "$@" &
jvm=$!
trap 'kill $jvm' TERM INT
while kill -0 $jvm 2>/dev/null && [ "$(readlink {link})" = {target} ]; do sleep 0.3; done
kill -9 $jvm 2>/dev/null
wait $jvm
"""


def full_name(runner: str) -> str:
    """Return what Beam calls a runner."""
    return _MODULES.get(runner, runner)


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A pipeline on an engine of others."""

    runner: str
    given: tuple[str, ...]
    """The options that the user gave, which win."""
    what: str
    """What the pipeline does: the engine shows it."""
    place: str
    """Where its results go."""

    @property
    def name(self) -> str:
        """The job's name: the same for all jobs of this kind at this place."""
        found = _value(self.given, "job_name")
        kind = re.sub("[^a-z0-9]+", "-", self.what.lower())
        return found or f"wavemill-{kind}-{digest(self.place, size=4)}"

    @contextlib.contextmanager
    def options(self) -> Iterator[list[str]]:
        """Give the engine's options with those that make it do as users expect."""
        added = [f"--job_name={self.name}"]
        if full_name(self.runner).startswith(DASK) and not self._has("dask_npartitions"):
            # Dask's own size puts all units of a job of medium size into one task.
            added.append("--dask_partition_size=1")
        if self.runner not in _JOB_SERVERS or self._has(_LAUNCHER) or not shutil.which("java"):
            yield [*added, *self.given]
            return
        with _leashed_java() as launcher:
            yield [*added, f"--{_LAUNCHER}={launcher}", *self.given]

    def run(self, pipeline: Any) -> Any:
        """Run the pipeline to its end; return Beam's result.

        If this process is stopped, the job is. One that an earlier driver left running, as one that
        was killed does, is stopped first: nobody else works here while the place is locked.
        """
        self._clear(ORPHAN_SECONDS)
        interrupted = signal.getsignal(signal.SIGINT)
        result = pipeline.run()
        # Beam's job server takes the signal, to end first: then nobody could stop the job.
        signal.signal(signal.SIGINT, interrupted)
        try:
            result.wait_until_finish()
        except BaseException:
            with contextlib.suppress(Exception):  # it failed by itself, and is gone
                result.cancel()
            self._clear(STOP_SECONDS)
            raise
        return result

    def _has(self, name: str) -> bool:
        return _value(self.given, name) is not None

    def _clear(self, wait_seconds: float) -> None:
        master = _value(self.given, "flink_master")
        if self.runner != FLINK or master is None or master.startswith("["):
            return
        with contextlib.suppress(OSError, ValueError, KeyError):
            cancel_jobs(master, self.name, wait_seconds)


def _value(given: Sequence[str], name: str) -> str | None:
    """Return an option's last value; empty for a flag."""
    found = None
    for argument, following in zip(given, [*given, ""][1:], strict=True):
        if argument == f"--{name}":
            found = following
        elif argument.startswith(f"--{name}="):
            found = argument.partition("=")[2]
    return found


@contextlib.contextmanager
def _leashed_java() -> Iterator[str]:
    """Give a program that starts Java: it does not outlive this process, not even a kill -9."""
    if not Path("/proc").exists():
        yield "java"
        return
    with worker.lifeline() as (link, target), tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "java"
        text = _LEASHED.format(link=shlex.quote(link), target=shlex.quote(target))
        program.write_text(text, "ascii")
        program.chmod(0o755)
        yield str(program)
