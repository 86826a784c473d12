"""A job: its settings, what it needs to know of its tokenizers, and where its spool lies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.pipelines import engine as engines
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.near_duplicates import require_faiss
from wavemill.pipelines.outdir import SPOOL, check_out
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.run_notes import RunNotes
from wavemill.pipelines.segmenters import make_segmenter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.unit_names import as_names
from wavemill.spool import unit_url
from wavemill.tokenizers import make_tokenizers
from wavemill.tokenizers.base import TokenizerFacts

ASKED_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Job:
    """A `prepare` job, its settings checked and its tokenizers built."""

    settings: PrepareSettings
    engine: Engine
    facts: tuple[TokenizerFacts, ...]
    reporter: Reporter
    verify: bool = False
    """Whether finished shards are read again before they are taken for whole."""
    notes: RunNotes = field(default_factory=RunNotes, compare=False)
    """What the run takes."""

    def __post_init__(self) -> None:
        """Ask for what will be needed before any work is done."""
        if self.settings.dedup:
            require_faiss()

    @property
    def spool(self) -> str:
        """The folder of all that is kept between runs."""
        return storage.join(self.settings.out, SPOOL)

    @property
    def token_stages(self) -> list[str]:
        """The spool folder of each token stream."""
        return [self.settings.tokens_stage(facts) for facts in self.facts]

    @property
    def stages(self) -> list[str]:
        """The spool folders that hold a file a unit once all is done."""
        prints = [self.settings.fingerprints_stage] if self.settings.dedup else []
        return [self.settings.segments_stage, *prints, *self.token_stages]

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


def make_job(
    settings: PrepareSettings, engine: Engine, reporter: Reporter, *, verify: bool = False
) -> Job:
    """Build what settings name, so that wrong ones stop the job before any work."""
    check_out(settings.out, settings.inputs)
    make_segmenter(settings.segmenter)
    facts = tuple(tokenizer.facts for tokenizer in make_tokenizers(settings.tokenizers))
    return Job(settings=settings, engine=engine, facts=facts, reporter=reporter, verify=verify)
