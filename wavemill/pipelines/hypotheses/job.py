"""A `hypotheses` job: its settings, and what it needs to know of its recognizer."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.hypotheses.folder import FACTS
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.recognizers import (
    Recognizer,
    RecognizerFacts,
    Request,
    distinct,
    make_recognizer,
)
from wavemill.packages import require
from wavemill.pipelines import crew
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.hypotheses.conditions import Room
from wavemill.pipelines.hypotheses.settings import HypothesesSettings
from wavemill.pipelines.outdir import check_out
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.segmenters import make_segmenter
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.survey_unit import SurveyConfig
from wavemill.sharding.dataset import Dataset, is_dataset
from wavemill.tokenizers.threads import torch_threads

MEASURED_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class HypothesesJob(SpoolJob):
    """A `hypotheses` job, its settings checked and its recognizer built."""

    settings: HypothesesSettings
    facts: RecognizerFacts
    normalizer: Normalizer
    recognizer: Recognizer | None = field(default=None, compare=False, repr=False)
    """The driver's own, to measure it; workers build theirs."""

    @property
    def heard_stage(self) -> str:
        """The spool folder of what was heard."""
        return self.settings.heard_stage(self.facts, self.normalizer)

    @property
    def row_stages(self) -> list[str]:
        """The spool folder of what was heard."""
        return [self.heard_stage]

    @property
    def stages(self) -> list[str]:
        """The spool folders that hold a file a unit once all is done."""
        return [self.settings.segments_stage, self.heard_stage]

    @property
    def survey_config(self) -> SurveyConfig:
        """Where the spool holds what the settings ask for."""
        return SurveyConfig(
            spool=self.spool,
            segments=self.settings.segments_stage,
            streams=(),
            heard=self.heard_stage,
        )

    @property
    def needs_gpu(self) -> bool:
        """Whether the recognizer is to run on a GPU."""
        return crew.need_gpu([self.settings.recognizer])

    def measure(self) -> float:
        """Measure how long the recognizer takes for a second of audio, in seconds."""
        recognizer = self.recognizer or make_recognizer(self.settings.recognizer)
        noise = np.random.default_rng(0).standard_normal(
            round(MEASURED_SECONDS * self.facts.sample_rate)
        )
        started = time.perf_counter()
        with torch_threads(1):
            heard = recognizer.hear(
                (0.1 * noise).astype(np.float32), Request(count=self.settings.count, language="en")
            )
            distinct(heard, self.normalizer, self.settings.count)
        return (time.perf_counter() - started) / MEASURED_SECONDS


def find_dataset(inputs: Sequence[str]) -> Dataset | None:
    """Return the prepared dataset that the input is; None where it is recordings.

    Raises:
        UsageError: it is one among other inputs, or has no audio.
        DatasetError: it cannot be read.

    """
    urls = [url for url in inputs if is_dataset(url)]
    if not urls:
        return None
    if len(inputs) > 1:
        raise UsageError(
            f"{urls[0]} is a prepared dataset: give it alone, or `wavemill merge` several first"
        )
    dataset = Dataset.open(storage.folder_url(urls[0]))
    if dataset.content["settings"]["audio"] == "none":
        raise UsageError(f"{urls[0]} has no audio to be heard; prepare it with --audio flac")
    return dataset


def make_hypotheses_job(
    settings: HypothesesSettings, engine: Engine, reporter: Reporter
) -> HypothesesJob:
    """Build what settings name, so that wrong ones stop the job before any work.

    Raises:
        UsageError: something is wrong, or a package is missing.

    """
    check_out(settings.out, settings.inputs, FACTS)
    if not settings.of_dataset:
        make_segmenter(settings.segmenter)
    require("rapidfuzz", "hypotheses", "counting errors")
    normalizer = Normalizer(settings.normalizer)
    recognizer = make_recognizer(settings.recognizer)
    if settings.conditions.noise_from is not None:
        Room(settings.conditions, recognizer.facts.sample_rate, settings.seed)
    return HypothesesJob(
        settings=settings,
        engine=engine,
        facts=recognizer.facts,
        normalizer=normalizer,
        reporter=reporter,
        recognizer=recognizer,
    )
