"""A job: its settings, what it needs to know of its tokenizers, and where its spool lies."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from wavemill import storage
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.near_duplicates import require_faiss
from wavemill.pipelines.outdir import SPOOL, check_out
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.run_notes import RunNotes
from wavemill.pipelines.segmenters import make_segmenter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.table import make_tokenizers


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

    def pending(self, units: Iterable[str]) -> dict[str, set[str]]:
        """Say which of some units each stage has yet to make."""
        wanted = set(units)
        return {stage: wanted - self.finished(stage) for stage in self.stages}

    def finished(self, stage: str) -> set[str]:
        """List what a folder of the spool holds: file names without their suffix."""
        names = storage.list_names(storage.join(self.spool, stage))
        return {name.rsplit(".", 1)[0] for name in names if not name.startswith(".")}


def make_job(
    settings: PrepareSettings, engine: Engine, reporter: Reporter, *, verify: bool = False
) -> Job:
    """Build what settings name, so that wrong ones stop the job before any work."""
    check_out(settings.out, settings.inputs)
    make_segmenter(settings.segmenter)
    facts = tuple(tokenizer.facts for tokenizer in make_tokenizers(settings.tokenizers))
    return Job(settings=settings, engine=engine, facts=facts, reporter=reporter, verify=verify)
