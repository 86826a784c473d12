"""What a `hypotheses` job is asked to do."""

from dataclasses import dataclass, field
from typing import Any

from wavemill.digest import digest
from wavemill.hypotheses.normalize import AUTO, Normalizer
from wavemill.hypotheses.recognizers import RecognizerFacts
from wavemill.hypotheses.splits import Splitting
from wavemill.pipelines.hypotheses.conditions import Conditions
from wavemill.pipelines.job_settings import JobSettings
from wavemill.pipelines.restore import VERSION as RESTORE_VERSION
from wavemill.specs import Spec, check_range

HEARD_VERSION = 1
"""Goes up when the same segments and recognizer would give other hypotheses."""
PARTS_VERSION = 1
"""Goes up when the same hypotheses would give other files."""
MOST_HYPOTHESES = 100


@dataclass(frozen=True, kw_only=True)
class HypothesesSettings(JobSettings):
    """The settings of `hypotheses`, checked."""

    recognizer: Spec
    count: int = 5
    """Different hypotheses of an utterance."""
    normalizer: str = AUTO
    language: str | None = None
    """Of utterances that do not say theirs."""
    conditions: Conditions = field(default_factory=Conditions)
    splitting: Splitting = field(default_factory=Splitting)
    licence: str | None = None
    """For the card."""
    of_dataset: bool = False
    """Whether the input is a prepared dataset, whose samples are heard as they are."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("--n", self.count, 1, MOST_HYPOTHESES)

    @property
    def segments_stage(self) -> str:
        """The spool folder of the segments: cut from recordings, or read back from a dataset."""
        return f"restored-{digest(RESTORE_VERSION)}" if self.of_dataset else super().segments_stage

    def heard_stage(self, facts: RecognizerFacts, normalizer: Normalizer) -> str:
        """Name the spool folder of what a recognizer heard."""
        conditions = self.conditions.digest_parts
        what = [
            HEARD_VERSION,
            self.segments_stage,
            facts.digest,
            self.count,
            self.language,
            normalizer.version,
            conditions,
            self.seed if conditions or facts.draws else None,
        ]
        return f"hypotheses-{facts.name}-{digest(what)}"

    def data_json(self) -> dict[str, Any]:
        """Return the settings that the hypotheses depend on."""
        return {
            "recognizer": str(self.recognizer),
            "n": self.count,
            "segment": None if self.of_dataset else str(self.segmenter),
            "normalizer": self.normalizer,
            "language": self.language,
            **self.conditions.data_json(),
            "split_by": self.splitting.by,
            "splits": list(self.splitting.shares),
            "seed": self.seed,
        }
