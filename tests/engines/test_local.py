"""Engines that run out of the box: every one makes the same bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.clusters.dask import DaskCluster
from tests.engines.engines import make, running

WORKERS = ["--workers", "2"]
BEAMS_OWN = ["--direct_running_mode", "multi_processing", "--direct_num_workers", "2"]
THREADS = ["--direct_running_mode", "multi_threading", "--direct_num_workers", "2"]
PORTABLE = [
    "--runner", "PortableRunner", "--job_endpoint", "embed", "--environment_type", "LOOPBACK",
]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(WORKERS, id="two processes"),
        pytest.param(BEAMS_OWN, id="Beam's processes", marks=pytest.mark.slow),
        pytest.param(THREADS, id="threads", marks=pytest.mark.slow),
        pytest.param(PORTABLE, id="portable", marks=pytest.mark.slow),
    ],
)
def test_a_runner_of_this_machine_makes_the_same_bytes(
    expected: dict[str, str], tmp_path: Path, options: list[str]
) -> None:
    assert make(tmp_path / "out", options) == expected


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Dask with two workers."""
    with running(DaskCluster(tmp_path_factory.mktemp("dask"))) as cluster:
        yield cluster


@pytest.mark.slow
def test_dask_makes_the_same_bytes(
    expected: dict[str, str], tmp_path: Path, dask: DaskCluster
) -> None:
    assert make(tmp_path / "out", dask.options()) == expected


def test_a_cluster_that_runs_is_not_started_twice(dask: DaskCluster) -> None:
    before = dask.pids()
    DaskCluster(dask.home).start()
    assert dask.pids() == before
