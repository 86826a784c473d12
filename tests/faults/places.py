"""Where a job writes, for a harness that fills it, watches it and compares it."""

import hashlib
import os
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

TIMES = "run.json"
"""The one file that differs by nature: how long the last run took."""


class Place(Protocol):
    """An output folder, wherever it is."""

    @property
    def url(self) -> str:
        """What `--out` is given."""

    def fill(self, folder: Path | None) -> None:
        """Let it hold what a local folder holds, or nothing, and nothing else."""

    def names(self) -> set[str]:
        """List all files, by paths relative to the place."""

    def digests(self) -> dict[str, str]:
        """Digest all files but `TIMES`."""


class Folder:
    """A folder on this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        return str(self.path)

    def fill(self, folder: Path | None) -> None:
        if self.path.exists():
            shutil.rmtree(self.path)
        if folder is not None:
            shutil.copytree(folder, self.path)

    def names(self) -> set[str]:
        # Unlike `rglob` it bears that folders go meanwhile.
        walk = os.walk(self.path)
        return {
            os.path.relpath(f"{top}/{name}", self.path) for top, _, names in walk for name in names
        }

    def digests(self) -> dict[str, str]:
        return {
            name: hashlib.sha256((self.path / name).read_bytes()).hexdigest()
            for name in sorted(self.names() - {TIMES})
        }


def stage_of(fresh: set[str]) -> str:
    """Say how far a run has come by the files that it has made."""
    stages = {
        "publishing": ("dataset.json", "README.md", "rejected.jsonl", "_work/parts-*"),
        "writing": ("_work/shards-*", "bucket-*"),
        "planning": ("_work/plan*", "_work/rejected.jsonl"),
        "tokenizing": ("_work/tokens-*",),
        "segmenting": ("_work/segments-*", "_work/fingerprints-*"),
        "ingest": ("_work/recordings/*", "_work/wavemill.json"),
    }
    for stage, patterns in stages.items():
        if any(fnmatchcase(name, pattern) for name in fresh for pattern in patterns):
            return stage
    return "loading"
