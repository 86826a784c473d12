"""The Beam steps: thin shells, each of which makes one file unless it is there."""

import time
from collections.abc import Iterator

from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.recognizers import make_recognizer
from wavemill.pipelines import metrics, whereabouts
from wavemill.pipelines.hypotheses.conditions import Room
from wavemill.pipelines.hypotheses.parts import PartSources, is_written, write
from wavemill.pipelines.hypotheses.recognize import HEARD_SCHEMA, Hearing, recognize_unit
from wavemill.pipelines.hypotheses.settings import HypothesesSettings
from wavemill.pipelines.outdir import check_there
from wavemill.pipelines.step import ModelStep, Step
from wavemill.pipelines.survey_unit import seconds_of
from wavemill.spool import UnitReader, unit_url, write_unit


class RecognizeUnit(ModelStep):
    """Hear a unit's segments. Takes and gives unit names."""

    def __init__(self, spool: str, stage: str, settings: HypothesesSettings) -> None:
        """Keep settings alone: they travel to the workers, which load the model themselves."""
        super().__init__(spool)
        self._stage, self._settings = stage, settings
        self._hearing: Hearing | None = None

    def process(self, unit: str) -> Iterator[str]:
        """Write what was heard in the unit."""
        place = unit_url(self._spool, self._stage, unit)
        if self.lacks(place):
            hearing = self._load()
            with metrics.making(metrics.RECOGNIZE) as tally:
                segments = UnitReader(unit_url(self._spool, self._settings.segments_stage, unit))
                with write_unit(place, HEARD_SCHEMA) as file:
                    for row in recognize_unit(segments, hearing):
                        file.add(row)
                        tally.reject(row.get("reject_reason"))
                        tally["segments"] += "hypotheses" in row
                        tally["hypotheses"] += len(row.get("hypotheses", ()))
                tally[metrics.AUDIO] += round(1000 * float(seconds_of(segments).sum()))
        else:
            metrics.found(metrics.RECOGNIZE)
        yield unit

    def _load(self) -> Hearing:
        if self._hearing is None:
            started = time.perf_counter()
            settings = self._settings
            recognizer = make_recognizer(settings.recognizer)
            rate = recognizer.facts.sample_rate
            self._hearing = Hearing(
                recognizer=recognizer,
                normalizer=Normalizer(settings.normalizer),
                room=Room(settings.conditions, rate, settings.seed),
                count=settings.count,
                language=settings.language,
                seed=settings.seed,
            )
            metrics.note_time(f"{metrics.RECOGNIZE}_load_ms", started)
        return self._hearing


class WritePart(Step):
    """Write a part of the folder, then its marker. Takes and gives part numbers."""

    def __init__(self, plan: PartSources) -> None:
        """Keep where things are."""
        super().__init__(plan.spool)
        self._plan = plan
        self._normalizer: Normalizer | None = None

    def process(self, number: int) -> Iterator[int]:
        """Write part `number` unless it is there."""
        if not is_written(self._plan, number):
            check_there(self._spool)
            self._normalizer = self._normalizer or Normalizer(self._plan.settings.normalizer)
            whereabouts.note(f"part {number} of {self._plan.out}")
            with metrics.making(metrics.PARTS, "parts") as tally:
                tally["utterances"] += write(self._plan, number, self._normalizer)
        else:
            metrics.found(metrics.PARTS, "parts")
        yield number
