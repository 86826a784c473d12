"""Beam's runners, and the Java that two of them need."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wavemill.checkup.finding import BROKEN, MISSING, OK, Finding
from wavemill.packages import is_installed, pip_line

JAVA_SECONDS = 10.0
JAVA_LINE = "apt-get install openjdk-17-jre-headless"


def check_engines(beam: dict[str, Any]) -> Iterator[Finding]:
    """Say which of Beam's runners jobs can run on from here.

    Args:
        beam: what `loading` found of it.

    """
    if "error" in beam:
        yield Finding(part="DirectRunner", state=BROKEN, says=beam["error"], needed=True,
                      remedy="pip install --force-reinstall apache-beam")  # fmt: skip
        return
    yield Finding(part="DirectRunner", state=OK, says=f"Beam {beam['beam']}", needed=True)
    java = check_java()
    yield java
    yield _remote("FlinkRunner, SparkRunner", java)
    yield _needing("DaskRunner", ("dask", "distributed"), pip_line("dask"))
    yield _needing("DataflowRunner", ("apitools",), "pip install 'apache-beam[gcp]' gcsfs")


def check_java() -> Finding:
    """Say which Java there is, where Beam looks for it."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java") or (home and shutil.which(Path(home) / "bin" / "java"))
    if not java:
        return Finding(part="Java", state=MISSING, says="Flink and Spark need 11 or 17",
                       remedy=JAVA_LINE)  # fmt: skip
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=True, timeout=JAVA_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(part="Java", state=BROKEN, says=f"{java}: {error}", remedy=JAVA_LINE)
    said = (done.stderr or done.stdout).splitlines() or [""]
    found = re.search(r'"(1\.)?(\d+)', said[0])
    if not found or int(found[2]) < 11:
        return Finding(part="Java", state=BROKEN, says=f"{said[0]}; Flink and Spark need 11 or 17",
                       remedy=JAVA_LINE)  # fmt: skip
    return Finding(part="Java", state=OK, says=said[0])


def _remote(part: str, java: Finding) -> Finding:
    if java.state != OK:
        return Finding(part=part, state=MISSING, says="no Java", remedy=java.remedy)
    return _needing(part, ("build",), pip_line("cluster"))


def _needing(part: str, packages: tuple[str, ...], remedy: str) -> Finding:
    lacking = [package for package in packages if not is_installed(package)]
    if lacking:
        return Finding(part=part, state=MISSING, says=f"no {', '.join(lacking)}", remedy=remedy)
    return Finding(part=part, state=OK, says="what it needs here is installed")
