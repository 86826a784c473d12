"""A job whose units lie in a spool: what `prepare` and `hypotheses` have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.pipelines import engine as engines
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job_settings import JobSettings
from wavemill.pipelines.outdir import SPOOL
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.run_notes import RunNotes
from wavemill.pipelines.survey_unit import SurveyConfig
from wavemill.pipelines.unit_names import as_names
from wavemill.spool import unit_url

ASKED_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class SpoolJob(ABC):
    """A job, its settings checked and what it needs built."""

    settings: JobSettings
    engine: Engine
    reporter: Reporter
    notes: RunNotes = field(default_factory=RunNotes, compare=False)
    """What the run takes."""

    @property
    @abstractmethod
    def row_stages(self) -> list[str]:
        """The spool folders, after that of the segments, whose files have a row a segment."""

    @property
    @abstractmethod
    def stages(self) -> list[str]:
        """The spool folders that hold a file a unit once all is done."""

    @property
    @abstractmethod
    def survey_config(self) -> SurveyConfig:
        """Where the spool holds what the settings ask for."""

    @property
    @abstractmethod
    def needs_gpu(self) -> bool:
        """Whether a model of the job is to run on a GPU."""

    @abstractmethod
    def measure(self) -> float:
        """Measure how long the models take for a second of audio, in seconds."""

    @property
    def spool(self) -> str:
        """The folder of all that is kept between runs."""
        return storage.join(self.settings.out, SPOOL)

    def run(self, engine: Engine, build: Callable[[Any], None], what: str) -> None:
        """Run a pipeline for the job, and note what it took.

        Args:
            engine: where.
            build: takes an `apache_beam.Pipeline` and adds the steps to it.
            what: the stage's name.

        Raises:
            JobError: it failed; what its units finished is kept.

        """
        self.notes.add(engine, engines.run(engine, build, what, self.settings.out))

    def pending(self, units: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
        """Say which of some units each stage has yet to make, [N] mapped."""
        names = as_names(units)
        return {stage: names.missing_in(self.done(stage)) for stage in self.stages}

    def done(self, stage: str) -> Iterator[str]:
        """Yield what a folder of the spool really holds.

        A store's listing may name what was removed, so each is asked for; what it does not name
        is done again, where the step asks once more.
        """
        names = self.finished(stage)
        if storage.is_local(self.spool):
            yield from names
            return
        while asked := list(islice(names, ASKED_AT_ONCE)):
            there = storage.sizes([unit_url(self.spool, stage, unit) for unit in asked])
            yield from (unit for unit, size in zip(asked, there, strict=True) if size is not None)

    def finished(self, stage: str) -> Iterator[str]:
        """Yield what a folder of the spool holds, in no order: file names without their suffix."""
        for name in storage.each_name(storage.join(self.spool, stage)):
            if not name.startswith("."):
                yield name.rsplit(".", 1)[0]

    def count_finished(self, stage: str) -> int:
        """Count the files of a folder of the spool."""
        return sum(1 for _ in self.finished(stage))
