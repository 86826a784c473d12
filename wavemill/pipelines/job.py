"""A `prepare` job: its settings, and what it needs to know of its tokenizers."""

from dataclasses import dataclass

from wavemill.pipelines import crew
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.near_duplicates import require_faiss
from wavemill.pipelines.outdir import check_out
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.segmenters import make_segmenter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.survey_unit import SurveyConfig
from wavemill.tokenizers import make_tokenizers
from wavemill.tokenizers.base import TokenizerFacts


@dataclass(frozen=True, kw_only=True)
class Job(SpoolJob):
    """A `prepare` job, its settings checked and its tokenizers built."""

    settings: PrepareSettings
    facts: tuple[TokenizerFacts, ...]
    verify: bool = False
    """Whether finished shards are read again before they are taken for whole."""

    def __post_init__(self) -> None:
        """Ask for what will be needed before any work is done."""
        if self.settings.dedup:
            require_faiss()

    @property
    def token_stages(self) -> list[str]:
        """The spool folder of each token stream."""
        return [self.settings.tokens_stage(facts) for facts in self.facts]

    @property
    def streams(self) -> tuple[tuple[str, TokenizerFacts], ...]:
        """The spool folder and the facts of each token stream."""
        return tuple(zip(self.token_stages, self.facts, strict=True))

    @property
    def row_stages(self) -> list[str]:
        """The spool folder of each token stream."""
        return self.token_stages

    @property
    def stages(self) -> list[str]:
        """The spool folders that hold a file a unit once all is done."""
        prints = [self.settings.fingerprints_stage] if self.settings.dedup else []
        return [self.settings.segments_stage, *prints, *self.token_stages]

    @property
    def survey_config(self) -> SurveyConfig:
        """Where the spool holds what the settings ask for."""
        return SurveyConfig(
            spool=self.spool,
            segments=self.settings.segments_stage,
            streams=tuple((stage, facts.name) for stage, facts in self.streams),
            audio=self.settings.audio,
        )

    @property
    def needs_gpu(self) -> bool:
        """Whether a tokenizer is to run on a GPU."""
        return crew.need_gpu(self.settings.tokenizers)

    def measure(self) -> float:
        """Measure how long the tokenizers take for a second of audio, in seconds."""
        return crew.measure(make_tokenizers(self.settings.tokenizers))


def make_job(
    settings: PrepareSettings, engine: Engine, reporter: Reporter, *, verify: bool = False
) -> Job:
    """Build what settings name, so that wrong ones stop the job before any work."""
    check_out(settings.out, settings.inputs)
    make_segmenter(settings.segmenter)
    facts = tuple(tokenizer.facts for tokenizer in make_tokenizers(settings.tokenizers))
    return Job(settings=settings, engine=engine, facts=facts, reporter=reporter, verify=verify)
