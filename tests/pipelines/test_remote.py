import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from wavemill.errors import JobError
from wavemill.pipelines.remote import Remote
from wavemill.pipelines.surroundings import Surroundings

SLEEPING_JAVA = "import time; print('up', flush=True); time.sleep(60)"


def remote(runner: str = "SparkRunner", *given: str) -> Remote:
    return Remote(runner=runner, given=given, what="writing shards", place="/data/out")


def test_jobs_of_one_kind_at_one_place_have_one_name_that_every_engine_takes() -> None:
    assert remote().name == remote().name
    assert remote().name.startswith("wavemill-writing-shards-")
    other = Remote(runner="SparkRunner", given=(), what="writing shards", place="/data/other")
    assert other.name != remote().name


@pytest.mark.parametrize("given", [("--job_name", "mine"), ("--job_name=mine",)])
def test_a_name_that_is_given_wins(given: tuple[str, ...]) -> None:
    job = remote("PortableRunner", *given)
    assert job.name == "mine"
    with job.options() as options:
        assert options[0] == "--job_name=mine"


@pytest.mark.parametrize(("given", "added"), [((), True), (("--dask_npartitions", "4"), False)])
def test_dask_gets_a_task_for_each_unit_unless_told_how_many(
    given: tuple[str, ...], added: bool
) -> None:
    with remote("DaskRunner", *given).options() as options:
        assert ("--dask_partition_size=1" in options) == added


def launcher_of(options: list[str]) -> str:
    return next(o.partition("=")[2] for o in options if o.startswith("--job_server_java_launcher"))


def fake_java(folder: Path) -> dict[str, str]:
    """Put something in Java's place that runs Python."""
    java = folder / "java"
    java.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    java.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_the_job_server_passes_on_what_it_is_told_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", fake_java(tmp_path)["PATH"])
    with remote().options() as options:
        command = [launcher_of(options), "-c", "import sys; print(sys.argv[1:])", "a b", "c"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['a b', 'c']\n"


def test_the_job_server_ends_when_the_driver_is_killed(tmp_path: Path) -> None:
    program = f"""
import subprocess, sys
from tests.pipelines.test_remote import launcher_of, remote
with remote().options() as options:
    subprocess.run([launcher_of(options), "-c", {SLEEPING_JAVA!r}])
"""
    command = [sys.executable, "-c", program]
    root, environment = Path(__file__).parents[2], fake_java(tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=root) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"up\n"
        driver.send_signal(signal.SIGKILL)
        # The pipe's end closes with the last process that holds it: Java, which nobody told to end.
        started = time.monotonic()
        assert driver.stdout.read() == b""
        assert time.monotonic() - started < 10


class FakeResult:
    """A job that is stopped while it runs."""

    state = "RUNNING"
    cancelled = False

    def wait_until_finish(self) -> None:
        raise SystemExit(130)

    def cancel(self) -> None:
        self.cancelled = True


class FakePipeline:
    def __init__(self) -> None:
        self.result = FakeResult()

    def run(self) -> Any:
        return self.result


def test_a_job_is_cancelled_with_its_driver() -> None:
    pipeline = FakePipeline()
    with pytest.raises(SystemExit):
        remote("PortableRunner").run(pipeline)
    assert pipeline.result.cancelled


def test_a_worker_goes_to_the_drivers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/wavemill.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    driver = Surroundings.here()
    monkeypatch.chdir("/")
    driver.enter("work")
    assert Path.cwd() == tmp_path


def test_a_worker_that_does_not_see_the_spool_says_so(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"does not see .*: give an --out that all machines share"):
        Surroundings.here().enter(str(tmp_path / "elsewhere"))


def test_a_worker_with_other_code_says_so(tmp_path: Path) -> None:
    driver = Surroundings(folder=str(tmp_path), code="0.0.1 (12345678)")
    with pytest.raises(JobError, match=r"runs wavemill .*, the driver 0\.0\.1 .*--setup_file"):
        driver.enter(str(tmp_path))
