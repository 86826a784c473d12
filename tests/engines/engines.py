"""One job on any engine, and how its dataset compares to the same job's on this machine."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import UTTERANCES

JOB = ("--tokenizer", "beats", "--tokenizer", "mvq", "--buckets", "3", "--unit-mb", "0.2")
OWN_TO_A_RUN = ("_work/lock", "run.json")
"""Files that tell of a run and not of its dataset."""


def command(out: Path, options: Sequence[str]) -> list[str]:
    """Return the command line of the job."""
    return [
        sys.executable, "-m", "wavemill", "prepare", str(UTTERANCES), "--out", str(out),
        *JOB, *options, "--json",
    ]  # fmt: skip


def prepare(
    out: Path, options: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the job."""
    environment = {**os.environ, **(environment or {})}
    return subprocess.run(
        command(out, options), capture_output=True, text=True, check=False, env=environment
    )


def digests(out: Path) -> dict[str, str]:
    """Return what every file of a dataset holds, its spool too."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and str(path.relative_to(out)) not in OWN_TO_A_RUN
    }
