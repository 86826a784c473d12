"""Flink's and Spark's jars, out of their Python packages, and Beam's job servers, out of Maven.

A job server takes a pipeline from the driver and hands it to its engine. Beam publishes one jar for
each; where a package registry lacks that of the installed Beam, it is built of the newest runner
that it has with all its parts. The protocol between the two is stable: a job server of 2.62 serves
Beam 2.77.
"""

import re
import shutil
import string
import subprocess
import sys
import tarfile
import tempfile
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from scripts.clusters.cluster import ClusterError

TEMPLATE = Path(__file__).parent / "job_server.xml"
JAVA_VERSIONS = (11, 17)
BEAM = version("apache-beam")
RUNNER_BEAM = "2.62.0"
"""Of the runners that job servers are built of."""


class _JobServer(NamedTuple):
    """What a job server is built of."""

    published: str
    """The artifact that has all in one jar, of the version of the installed Beam."""
    runner: str
    """The artifact of the runner alone."""
    main: str
    parts: tuple[str, ...] = ()
    """Artifacts that the runner takes for granted, as group:artifact:version."""


def require_java() -> None:
    """Check that there is a Java that the engines run on.

    Raises:
        ClusterError: there is none.

    """
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ClusterError("no Java: apt-get install openjdk-17-jre-headless") from error
    found = re.search(r'version "(\d+)', said.stderr)
    if found is None or int(found[1]) not in JAVA_VERSIONS:
        line = (said.stderr.splitlines() or [""])[0]
        raise ClusterError(f"Java 11 or 17 is needed, there is {line}")


class Libraries(ABC):
    """An engine's jars, fetched once into a folder."""

    package: str
    """The Python package that brings the engine, with its version."""
    server: _JobServer

    def __init__(self, home: Path) -> None:
        """Lay everything below `home`."""
        name = self.package.replace("==", "-")
        self.root = home / "libraries" / name
        self.job_server = home / "libraries" / f"{name}-job-server-beam-{BEAM}.jar"

    def fetch(self) -> None:
        """Fetch what is not there yet.

        Raises:
            ClusterError: a registry does not have it, or there is no Maven.

        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        if not self.root.exists():
            _say(f"downloading {self.package}, once")
            with tempfile.TemporaryDirectory(dir=self.root.parent) as folder:
                self.unpack(_download(self.package, Path(folder)), Path(folder) / "root")
                (Path(folder) / "root").rename(self.root)
        if not self.job_server.exists():
            _say(f"fetching Beam's job server for {self.package}, once")
            with tempfile.TemporaryDirectory(dir=self.root.parent) as folder:
                jar = _published(self.server, Path(folder)) or _built(self.server, Path(folder))
                jar.rename(self.job_server)

    @abstractmethod
    def unpack(self, archive: Path, root: Path) -> None:
        """Take the engine out of its Python package."""


class Flink(Libraries):
    """Flink's jars."""

    package = "apache-flink-libraries==1.19.3"
    server = _JobServer(
        published="beam-runners-flink-1.19-job-server",
        runner="beam-runners-flink-1.19",
        main="org.apache.beam.runners.flink.FlinkJobServerDriver",
    )

    @property
    def jars(self) -> Path:
        """The folder of the jars that make a cluster."""
        return self.root / "lib"

    def unpack(self, archive: Path, root: Path) -> None:
        """Take the folder of jars."""
        _extract(archive, "deps/lib", root / "lib")


class Spark(Libraries):
    """Spark's jars and its start scripts."""

    package = "pyspark==3.5.9"
    server = _JobServer(
        published="beam-runners-spark-3-job-server",
        runner="beam-runners-spark-3",
        main="org.apache.beam.runners.spark.SparkJobServerDriver",
        parts=(
            "org.apache.spark:spark-core_2.12:3.5.9",
            "org.apache.spark:spark-streaming_2.12:3.5.9",
        ),
    )

    def unpack(self, archive: Path, root: Path) -> None:
        """Take what Spark calls its home."""
        for name in ("jars", "bin"):
            _extract(archive, f"deps/{name}", root / name)


def _download(package: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    _run([*command, package], f"cannot download {package}")
    return next(folder.glob("*.tar.gz"))


def _extract(archive: Path, inner: str, target: Path) -> None:
    """Take a folder below the one folder of a source distribution."""
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, path = member.name.partition("/")
            if path.startswith(f"{inner}/") and member.isfile():
                member.name = path.removeprefix(f"{inner}/")
                tar.extract(member, target, filter="data")


def _published(server: _JobServer, folder: Path) -> Path | None:
    """Ask for the job server of the installed Beam."""
    artifact = f"org.apache.beam:{server.published}:{BEAM}"
    command = [
        _maven(), "-q", "-B", "-ntp", "dependency:copy", f"-Dartifact={artifact}",
        f"-DoutputDirectory={folder}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
    return next(folder.glob("*.jar")) if done.returncode == 0 else None


def _built(server: _JobServer, folder: Path) -> Path:
    """Build a job server of its parts."""
    names = ("groupId", "artifactId", "version")
    engine = "".join(
        "<dependency>"
        + "".join(f"<{n}>{v}</{n}>" for n, v in zip(names, part.split(":"), strict=True))
        + "</dependency>"
        for part in server.parts
    )
    filled = string.Template(TEMPLATE.read_text("utf-8")).substitute(
        runner=server.runner, beam=RUNNER_BEAM, engine=engine, main=server.main
    )
    (folder / "pom.xml").write_text(filled, "utf-8")
    _run([_maven(), "-q", "-B", "-ntp", "package"], f"cannot build {server.runner}", folder)
    return folder / "target/job-server-1.jar"


def _maven() -> str:
    found = shutil.which("mvn")
    if found is None:
        raise ClusterError("no Maven, which fetches Beam's job server: apt-get install maven")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(command: list[str], what: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ClusterError(f"{what}: {lines[-1] if lines else done.returncode}")
