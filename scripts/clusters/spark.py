"""A Spark standalone cluster: a master and workers, each a process."""

from pathlib import Path

from scripts.clusters.cluster import LOCALHOST, Cluster, fetch_json
from scripts.clusters.libraries import Spark, require_java


class SparkCluster(Cluster):
    """Spark on this machine."""

    name = "spark"

    def __init__(self, home: Path | None = None) -> None:
        """Look for the libraries when they are needed."""
        super().__init__(home)
        self._libraries = Spark(self.home)

    @property
    def page(self) -> str:
        """The address of the master's web page."""
        return f"http://{LOCALHOST}:{self.port('page')}"

    @property
    def _master(self) -> str:
        return f"spark://{LOCALHOST}:{self.port('master')}"

    def launch(self) -> None:
        """Start the master and the pool of Python workers."""
        require_java()
        self._libraries.fetch()
        ports = ["--port", str(self.port("master")), "--webui-port", str(self.port("page"))]
        self._spawn("master", "org.apache.spark.deploy.master.Master", *ports)
        self.start_pool()
        self.wait(lambda: fetch_json(f"{self.page}/json/")["status"] == "ALIVE", "master")

    def grow(self) -> int:
        """Start one more worker."""
        work = self.folder / "work"
        words = ["--cores", "1", "--memory", "1200M", "--work-dir", str(work), "--webui-port", "0"]
        return self._spawn("worker", "org.apache.spark.deploy.worker.Worker", *words, self._master)

    def ready(self, workers: int) -> bool:
        """Say whether so many workers are registered."""
        return int(fetch_json(f"{self.page}/json/")["aliveworkers"]) >= workers

    def options(self) -> list[str]:
        """Return the options that lead a job here."""
        return [
            "--runner=SparkRunner",
            f"--spark_master_url={self._master}",
            f"--spark_job_server_jar={self._libraries.job_server}",
            *self.pool_options(),
        ]

    def environment(self) -> dict[str, str]:
        """Keep the driver that the job server holds on this machine, too."""
        return {"SPARK_LOCAL_IP": LOCALHOST}

    def _spawn(self, role: str, entry: str, *words: str) -> int:
        home = self._libraries.root
        command = [str(home / "bin/spark-class"), entry, "--host", LOCALHOST, *words]
        return self.spawn(role, command, {"SPARK_HOME": str(home), **self.environment()})
