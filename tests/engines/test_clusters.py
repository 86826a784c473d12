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
from tests.engines.engines import command, digests, make, running

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module", params=[FlinkCluster, SparkCluster], ids=["flink", "spark"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with two workers."""
    with running(request.param()) as cluster:
        yield cluster
    left = [place.name for place in cluster.folder.iterdir() if place.suffix != ".log"]
    assert not left


def test_a_cluster_makes_the_same_bytes(
    expected: dict[str, str], tmp_path: Path, cluster: Cluster
) -> None:
    assert make(tmp_path / "out", cluster.options(), cluster.environment()) == expected


def test_a_job_whose_worker_is_killed_and_replaced_makes_the_same_bytes(
    expected: dict[str, str], tmp_path: Path, cluster: Cluster
) -> None:
    out, role = tmp_path / "out", "taskmanager" if cluster.name == "flink" else "worker"
    with _job(cluster, out) as job:
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
    with _job(cluster, out) as job:
        _wait_for(out, "_work/tokens-beats-*/*.arrow")
        job.kill()
        job.communicate()
    assert make(out, cluster.options(), cluster.environment()) == expected
    assert "RUNNING" not in _flinks_states(cluster)


def test_a_stopped_driver_takes_its_job_along(tmp_path: Path, cluster: Cluster) -> None:
    with _job(cluster, tmp_path / "out") as job:
        _wait_for(tmp_path / "out", "_work/segments-*/*.arrow")
        job.terminate()
        _, errors = job.communicate(timeout=30)
    assert job.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    assert _flinks_states(cluster) <= {"CANCELED", "CANCELLING", "FINISHED", "FAILED"}


def _job(cluster: Cluster, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, **cluster.environment()}
    return subprocess.Popen(
        command(out, cluster.options()), env=environment, text=True, stderr=subprocess.PIPE
    )


def _flinks_states(cluster: Cluster) -> set[str]:
    """Return the states of all jobs that a Flink cluster knows of; no other engine says them."""
    if not isinstance(cluster, FlinkCluster):
        return set()
    return {job["state"] for job in fetch_json(f"{cluster.page}/jobs/overview")["jobs"]}


def _wait_for(out: Path, pattern: str) -> None:
    ends = time.monotonic() + 120
    while not list(out.glob(pattern)):
        assert time.monotonic() < ends, f"no {pattern}"
        time.sleep(0.1)
