"""Flink and Spark as separate processes: the same bytes, also where a part of it is killed.

Run with `pytest -m engines tests/engines`: the first time it fetches the engines' jars.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.clusters.cluster import Cluster, fetch_json
from scripts.clusters.flink import FlinkCluster
from scripts.clusters.spark import SparkCluster
from tests.engines.engines import command, digests, prepare

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module", params=[FlinkCluster, SparkCluster], ids=["flink", "spark"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with two workers."""
    found: Cluster = request.param()
    if found.pids():
        pytest.fail(f"{found.name} runs already: python -m scripts.clusters stop {found.name}")
    found.start()
    yield found
    found.stop()
    assert not found.pids()
    left = [place.name for place in found.folder.iterdir() if place.suffix != ".log"]
    assert not left


def test_a_cluster_makes_the_same_bytes(
    expected: dict[str, str], tmp_path: Path, cluster: Cluster
) -> None:
    done = prepare(tmp_path / "out", cluster.options(), cluster.environment())
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "out") == expected


def test_a_job_whose_worker_is_killed_and_replaced_makes_the_same_bytes(
    expected: dict[str, str], tmp_path: Path, cluster: Cluster
) -> None:
    out, role = tmp_path / "out", "taskmanager" if cluster.name == "flink" else "worker"
    with _running(cluster, out) as job:
        _wait_for(out, "_work/tokens-beats-*/*.arrow")
        killed = cluster.pids(role)[0]
        os.killpg(killed, signal.SIGKILL)
        assert cluster.grow() != killed
        _, errors = job.communicate(timeout=240)
    assert job.returncode == 0, errors
    assert digests(out) == expected


def test_a_driver_that_was_killed_finds_its_job_and_goes_on(
    expected: dict[str, str], tmp_path: Path, cluster: Cluster
) -> None:
    out = tmp_path / "out"
    with _running(cluster, out) as job:
        _wait_for(out, "_work/tokens-beats-*/*.arrow")
        job.kill()
        job.communicate()
    done = prepare(out, cluster.options(), cluster.environment())
    assert done.returncode == 0, done.stderr
    assert digests(out) == expected
    if isinstance(cluster, FlinkCluster):
        states = {job["state"] for job in fetch_json(f"{cluster.page}/jobs/overview")["jobs"]}
        assert "RUNNING" not in states


def test_a_stopped_driver_takes_its_job_along(tmp_path: Path, cluster: Cluster) -> None:
    with _running(cluster, tmp_path / "out") as job:
        _wait_for(tmp_path / "out", "_work/segments-*/*.arrow")
        job.terminate()
        _, errors = job.communicate(timeout=30)
    assert job.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    if isinstance(cluster, FlinkCluster):
        states = {job["state"] for job in fetch_json(f"{cluster.page}/jobs/overview")["jobs"]}
        assert states <= {"CANCELED", "CANCELLING", "FINISHED", "FAILED"}


def _running(cluster: Cluster, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, **cluster.environment()}
    return subprocess.Popen(
        command(out, cluster.options()), env=environment, text=True, stderr=subprocess.PIPE
    )


def _wait_for(out: Path, pattern: str) -> None:
    ends = time.monotonic() + 120
    while not list(out.glob(pattern)):
        assert time.monotonic() < ends, f"no {pattern}"
        time.sleep(0.1)
