"""Dask: a scheduler and workers, each a process of this Python."""

import importlib.util
import sys

from scripts.clusters.cluster import LOCALHOST, ROOT, Cluster, ClusterError


class DaskCluster(Cluster):
    """Dask on this machine."""

    name = "dask"

    @property
    def _scheduler(self) -> str:
        return f"tcp://{LOCALHOST}:{self.port('scheduler')}"

    def launch(self) -> None:
        """Start the scheduler."""
        if importlib.util.find_spec("distributed") is None:
            raise ClusterError("Dask is not installed: pip install 'wavemill[dask]'")
        port = ["--host", LOCALHOST, "--port", str(self.port("scheduler"))]
        self._spawn("scheduler", *port, "--no-dashboard")

    def grow(self) -> int:
        """Start one more worker."""
        words = ["--nthreads", "1", "--no-dashboard", "--host", LOCALHOST]
        return self._spawn("worker", self._scheduler, *words)

    def ready(self, workers: int) -> bool:
        """Say whether so many workers are registered."""
        from distributed import Client

        with Client(self._scheduler, timeout=5) as client:  # type: ignore[no-untyped-call]
            return len(client.scheduler_info(n_workers=-1)["workers"]) >= workers

    def options(self) -> list[str]:
        """Return the options that lead a job here."""
        return ["--runner=DaskRunner", f"--dask_client_address={self._scheduler}"]

    def _spawn(self, role: str, *words: str) -> int:
        command = [sys.executable, "-m", "distributed.cli.dask_" + role, *words]
        return self.spawn(role, command, {"PYTHONPATH": str(ROOT)})
