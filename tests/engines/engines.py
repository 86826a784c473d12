"""One job on any engine, and how its dataset compares to the same job's on this machine."""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from scripts.clusters.cluster import Cluster
from tests.conftest import UTTERANCES

AnyCluster = TypeVar("AnyCluster", bound=Cluster)

JOB = ("--tokenizer", "beats", "--tokenizer", "mvq", "--buckets", "3", "--unit-mb", "0.2")
OWN_TO_A_RUN = ("_work/lock", "run.json")
"""Files that tell of a run and not of its dataset."""


def command(out: Path, options: Sequence[str]) -> list[str]:
    """Return the command line of the job."""
    return [
        sys.executable, "-m", "wavemill", "prepare", str(UTTERANCES), "--out", str(out),
        *JOB, *options, "--json",
    ]  # fmt: skip


def make(
    out: Path, options: Sequence[str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Run the job to its end; return the digests of what it made."""
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(
        command(out, options), capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return digests(out)


def digests(out: Path) -> dict[str, str]:
    """Return what every file of a dataset holds, its spool too."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and str(path.relative_to(out)) not in OWN_TO_A_RUN
    }


@contextlib.contextmanager
def running(cluster: AnyCluster) -> Iterator[AnyCluster]:
    """Start a cluster of our own; nothing is left of it afterwards."""
    if cluster.pids():
        pytest.fail(f"{cluster.name} runs already: python -m scripts.clusters stop {cluster.name}")
    cluster.start()
    yield cluster
    cluster.stop()
    assert not cluster.pids()
