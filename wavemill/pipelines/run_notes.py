"""What a run took: the time of its steps, and what Beam measured. It becomes `run.json`.

Times differ from run to run, and `dataset.json` does not: so they lie beside it.
"""

import contextlib
import json
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import wavemill
from wavemill import storage
from wavemill.pipelines import metrics
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.metrics import Measured
from wavemill.sharding.dataset import RUN, Dataset

PACKAGES = ("apache-beam", "numpy", "pyarrow", "soundfile", "torch")
"""Those whose versions decide how fast a job is."""


class RunNotes:
    """Notes of one run of a job, from the moment that they are made."""

    def __init__(self) -> None:
        """Begin with the step `start`."""
        self._started = datetime.now(UTC)
        self._step, self._since = "start", time.monotonic()
        self._seconds: dict[str, float] = {}
        self._workers: dict[str, int | None] = {}
        self._runner: str | None = None
        self._measured: Measured = {}
        self.reused_units = 0

    def begin(self, step: str) -> None:
        """End a step of the driver, and begin the next; one that comes again goes on."""
        now = time.monotonic()
        self._seconds[self._step] = self._seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now

    def add(self, engine: Engine, measured: Measured) -> None:
        """Note a pipeline that ran in this step; no two have metrics of the same names."""
        self._runner = engine.runner
        self._workers[self._step] = engine.workers or 1 if engine.is_local else None
        self._measured.update(measured)

    @property
    def is_idle(self) -> bool:
        """Whether all was done before: no pipeline ran."""
        return self._runner is None

    def content(self, dataset: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `run.json` says of the run that made a dataset, given its `dataset.json`."""
        self.begin(self._step)
        seconds = sum(self._seconds.values())
        audio = [count for name, count in self._measured.items() if name.endswith(metrics.AUDIO)]
        hours = max(audio) / 3.6e6 if audio else None
        return {
            "dataset": dataset["digest"],
            "started": self._started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "steps": {step: round(value, 3) for step, value in self._seconds.items()},
            "hours": None if hours is None else round(hours, 6),
            "hours_an_hour": None if hours is None else round(hours / seconds * 3600, 3),
            "runner": self._runner,
            "workers": self._workers,
            "reused_units": self.reused_units,
            "rejected": dataset["rejected"],
            "metrics": dict(sorted(self._measured.items())),
            "versions": _versions(),
        }


def write_run(out: str, notes: RunNotes, dataset: Mapping[str, Any]) -> None:
    """Write the notes beside a dataset; those of the run that made it stay where this made nothing.

    Args:
        out: the dataset's folder.
        notes: of this run.
        dataset: what its `dataset.json` is about to hold.

    """
    if notes.is_idle and Dataset(url=out, content=dict(dataset)).run() is not None:
        return
    text = json.dumps(notes.content(dataset), ensure_ascii=False, indent=1)
    storage.write_text(storage.join(out, RUN), text.splitlines())


def _versions() -> dict[str, str]:
    found = {"wavemill": wavemill.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
