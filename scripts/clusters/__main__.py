"""Start, look at, grow and stop local clusters: `python -m scripts.clusters start flink`."""

import argparse
import shlex
import sys
from pathlib import Path

from scripts.clusters.cluster import Cluster, ClusterError, default_home
from scripts.clusters.dask import DaskCluster
from scripts.clusters.flink import FlinkCluster
from scripts.clusters.spark import SparkCluster

CLUSTERS: dict[str, type[Cluster]] = {
    cluster.name: cluster for cluster in (FlinkCluster, SparkCluster, DaskCluster)
}
DONE = {"start": "runs", "grow": "has one more worker", "stop": "is stopped"}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m scripts.clusters", description=__doc__)
    parser.add_argument("command", choices=["start", "status", "options", "grow", "stop"])
    parser.add_argument("engine", choices=CLUSTERS)
    parser.add_argument("--home", type=Path, help=f"for libraries and logs ({default_home()})")
    given = parser.parse_args()
    cluster = CLUSTERS[given.engine](given.home)
    try:
        _do(cluster, given.command)
    except ClusterError as error:
        sys.exit(f"{parser.prog}: {error}")


def _do(cluster: Cluster, command: str) -> None:
    if command not in ("start", "stop") and not cluster.pids():
        raise ClusterError(f"{cluster.name} does not run: start it first")
    if command == "options":
        print(shlex.join(cluster.options()))
        return
    if command != "status":
        getattr(cluster, command)()
        print(f"{cluster.name} {DONE[command]}", file=sys.stderr)
    if command != "stop":
        for line in cluster.describe():
            print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
