"""Ctrl-C and SIGTERM, and what else ends a job early: one line, an exit code, nothing left over."""

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import UTTERANCES, wavemill

JOB = ("--tokenizer", "mvq", "--unit-mb", "0.5")
LINE = (
    "wavemill: stopped; give the same command again, and `prepare`, `add` and `merge` go on where"
    " they stood"
)


PROGRESS = ("ingest:", "units:", "shards:", "publish:")


def said(err: str) -> list[str]:
    """What standard error holds besides progress."""
    return [line for line in err.splitlines() if not line.startswith(PROGRESS)]


@contextlib.contextmanager
def started(out: Path, *options: Any, before: Any = None) -> Iterator["subprocess.Popen[str]"]:
    """A job in a process group of its own, as a shell would start it."""

    def prepare_process() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if before:
            before()

    command = [sys.executable, "-m", "wavemill", "prepare", UTTERANCES, "--out", out, *JOB]
    process = subprocess.Popen(
        [*map(str, command), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare_process,  # noqa: PLW1509 - the tests have one thread
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(seen: Callable[[], Any], process: "subprocess.Popen[str]") -> Any:
    while not (found := seen()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    return found


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "wavemill.pipelines.worker" in child.cmdline()
    ]


def is_gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


def listens(process: "subprocess.Popen[str]") -> bool:
    """Say whether the process has got as far as our first lines."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(
        next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16
    )
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize(
    ("number", "mark"),
    [
        (signal.SIGINT, "_work/lock"),
        (signal.SIGTERM, "_work/recordings/*"),
        (signal.SIGINT, "_work/segments-*/*"),
        (signal.SIGINT, "_work/plan-*/*.arrow"),
    ],
)
def test_a_signal_stops_a_job_in_any_stage(
    number: signal.Signals, mark: str, tmp_path: Path
) -> None:
    with started(tmp_path) as process:
        wait_for(lambda: any(tmp_path.glob(mark)), process)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert said(err) == [LINE]
    assert out == ""


@pytest.mark.parametrize("seconds", [0, 0.3, 1])
def test_a_signal_while_modules_load_is_no_traceback(seconds: float, tmp_path: Path) -> None:
    with started(tmp_path) as process:
        wait_for(lambda: listens(process), process)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, said(err)) == (130, [LINE])


def test_a_signal_stops_the_workers_too_and_the_job_goes_on_later(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", 2) as process:
        wait_for(lambda: any(tmp_path.glob("_work/segments-*/*.arrow")), process)
        children = workers(process)
        for target in [*children, process]:  # as a terminal does, to all
            target.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said(err) == [LINE]
    assert len(children) == 2
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and not all(map(is_gone, children)):
        time.sleep(0.05)
    assert all(map(is_gone, children))
    done = wavemill("prepare", UTTERANCES, "--out", tmp_path, *JOB, "--json")
    assert done.code == 0, done.err
    assert done.json["reused_units"] > 0


def test_a_worker_that_dies_ends_the_job(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", 2) as process:
        victim = wait_for(lambda: workers(process), process)[0]
        victim.kill()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said(err)) == 1, err
    assert "a worker process died" in said(err)[0]


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_full_disk_is_one_line_and_the_job_goes_on_later(number: int, tmp_path: Path) -> None:
    limit = 200_000  # bytes a file: to the program, a disk that is full

    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with started(tmp_path, "--workers", number, before=set_limit) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said(err)) == 1, err
    assert "File too large; make room on the disk; what was finished is kept" in said(err)[0]
    if number == 1:  # another worker may have been in the midst of a file when the job ended
        assert not list(tmp_path.rglob("*.part"))
    done = wavemill("prepare", UTTERANCES, "--out", tmp_path, *JOB)
    assert done.code == 0, done.err
    assert not list(tmp_path.rglob("*.part"))


def test_output_that_takes_nothing_is_one_line() -> None:
    command = [sys.executable, "-m", "wavemill", "tokenizers"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("wavemill: cannot write the result to standard output: No space")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    line = f"{sys.executable} -m wavemill tokenizers | true"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
