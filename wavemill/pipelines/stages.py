"""The Beam steps: thin shells, each of which makes one file of the spool unless it is there."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wavemill import storage
from wavemill.errors import JobError
from wavemill.pipelines import metrics, whereabouts
from wavemill.pipelines.fingerprint import fingerprint_unit
from wavemill.pipelines.ingest.finish import version_of
from wavemill.pipelines.metrics import Tally
from wavemill.pipelines.outdir import check_there
from wavemill.pipelines.plan_files import PlanFiles, marker_url
from wavemill.pipelines.restore import SpoolStages, restore_shard, unit_of
from wavemill.pipelines.segment import AudioForm, segment_row, segment_unit
from wavemill.pipelines.segmenters import Segmenter, make_segmenter
from wavemill.pipelines.step import ModelStep, Step
from wavemill.pipelines.survey_unit import seconds_of
from wavemill.pipelines.tokenize import tokenize_unit
from wavemill.records import (
    FINGERPRINT_SCHEMA,
    SEGMENT_SCHEMA,
    TOKEN_SCHEMA,
    Recording,
    Reject,
    recording_from_row,
    to_json,
)
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.writer import ShardSources, result_json, write_shard
from wavemill.specs import Spec
from wavemill.spool import RECORDINGS, UnitReader, input_bytes, unit_url, write_unit
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.base import Tokenizer


class Restored(NamedTuple):
    """A shard of a dataset that is read back."""

    url: str
    """The dataset's."""
    number: int
    """Counted through the dataset."""
    prefix: str
    """Of its ids."""
    unit: str


class SegmentUnit(Step):
    """Cut a unit's recordings into segments. Takes and gives unit names."""

    def __init__(self, spool: str, stage: str, segmenter: Spec, form: AudioForm) -> None:
        """Keep settings alone: they travel to the workers."""
        super().__init__(spool)
        self._stage, self._spec, self._form = stage, segmenter, form
        self._segmenter: Segmenter | None = None

    def process(self, unit: str) -> Iterator[str]:
        """Write the unit's segments."""
        place = unit_url(self._spool, self._stage, unit)
        if self.lacks(place):
            self._segmenter = self._segmenter or make_segmenter(self._spec)
            with metrics.making(metrics.SEGMENT) as tally:
                self._make(unit, place, self._segmenter, tally)
        else:
            metrics.found(metrics.SEGMENT)
        yield unit

    def _make(self, unit: str, place: str, segmenter: Segmenter, tally: Tally) -> None:
        reader = UnitReader(unit_url(self._spool, RECORDINGS, unit))
        recordings = [recording_from_row(row) for row in reader.rows()]
        seconds = 0.0
        with write_unit(place, SEGMENT_SCHEMA) as file:
            for result in segment_unit(recordings, segmenter, self._form):
                row = segment_row(result)
                file.add(row, row["num_audio_bytes"])
                if isinstance(result, Reject):
                    tally.reject(result.reason)
                    continue
                seconds += result.duration_seconds
                tally["segments"] += 1
                tally["bytes_written"] += row["num_audio_bytes"]
            _check_versions(recordings)
        tally["recordings"] += len(recordings)
        tally["bytes_read"] += sum(
            {(r.url, r.byte_offset): input_bytes(r) for r in recordings}.values()
        )
        tally[metrics.AUDIO] += round(1000 * seconds)


def _check_versions(recordings: Sequence[Recording]) -> None:
    """Refuse to keep what was cut of a local file that is no longer the one that ingest saw.

    The unit is named by that version: another file's audio would be taken for it for good.

    Raises:
        JobError: a file was changed, replaced or removed.

    """
    for url, version in {(r.url, r.version) for r in recordings if storage.is_local(r.url)}:
        now = version_of(url)
        if now != version:
            what = "changed" if isinstance(now, str) else "removed, or its disk unmounted,"
            raise JobError(f"{url} was {what} while the job read it; let it be, and run it again")


class FingerprintUnit(Step):
    """Take the fingerprints of a unit's segments. Takes and gives unit names."""

    def __init__(self, spool: str, segments: str, stage: str) -> None:
        """Keep where things are."""
        super().__init__(spool)
        self._segments, self._stage = segments, stage

    def process(self, unit: str) -> Iterator[str]:
        """Write the unit's fingerprints."""
        place = unit_url(self._spool, self._stage, unit)
        if self.lacks(place):
            segments = UnitReader(unit_url(self._spool, self._segments, unit))
            whereabouts.note(f"the fingerprints of unit {unit}")
            with (
                metrics.making(metrics.FINGERPRINT) as tally,
                write_unit(place, FINGERPRINT_SCHEMA) as file,
            ):
                for row in fingerprint_unit(segments):
                    file.add(row, len(row.get("wave") or b""))
                    tally["segments"] += row.get("wave") is not None
        else:
            metrics.found(metrics.FINGERPRINT)
        yield unit


class TokenizeUnit(ModelStep):
    """Tokenize a unit's segments. Takes and gives unit names."""

    def __init__(self, spool: str, segments: str, stage: str, tokenizer: Spec, stream: str) -> None:
        """Keep settings alone: they travel to the workers, which load the weights themselves."""
        super().__init__(spool)
        self._segments, self._stage, self._spec = segments, stage, tokenizer
        self._name = metrics.tokenize(stream)
        self._tokenizer: Tokenizer | None = None

    def process(self, unit: str) -> Iterator[str]:
        """Write the unit's tokens."""
        place = unit_url(self._spool, self._stage, unit)
        if self.lacks(place):
            tokenizer = self._load()
            with metrics.making(self._name) as tally:
                self._make(unit, place, tokenizer, tally)
        else:
            metrics.found(self._name)
        yield unit

    def _load(self) -> Tokenizer:
        if self._tokenizer is None:
            started = time.perf_counter()
            self._tokenizer = make_tokenizer(self._spec)
            metrics.note_time(f"{self._name}_load_ms", started)
        return self._tokenizer

    def _make(self, unit: str, place: str, tokenizer: Tokenizer, tally: Tally) -> None:
        segments = UnitReader(unit_url(self._spool, self._segments, unit))
        with write_unit(place, TOKEN_SCHEMA) as file:
            for row in tokenize_unit(segments, tokenizer):
                num_bytes = len(row.get("npy") or b"") + len(row.get("times") or b"")
                file.add(row, num_bytes)
                tally.reject(row.get("reject_reason"))
                tally["segments"] += row.get("npy") is not None
                tally["tokens"] += row["num_tokens"]
                tally["bytes_written"] += num_bytes
        tally[metrics.AUDIO] += round(1000 * float(seconds_of(segments).sum()))


class RestoreShard(Step):
    """Read a shard of a dataset back into a unit. Takes and gives `Restored`."""

    def __init__(self, target: SpoolStages) -> None:
        """Keep where the units go."""
        super().__init__(target.spool)
        self._target = target
        self._datasets: dict[str, Dataset] = {}

    def process(self, task: Restored) -> Iterator[Restored]:
        """Write the files of the unit that are missing."""
        if task.url not in self._datasets:
            self._datasets[task.url] = Dataset.open(task.url)
        dataset = self._datasets[task.url]
        shards = dataset.content["shards"]
        if task.number >= len(shards) or task.unit != unit_of(
            dataset, shards[task.number], task.prefix
        ):
            raise JobError(f"{task.url} was changed while the job read it; run it again")
        shard = shards[task.number]
        check_there(self._spool)
        whereabouts.note(f"shard {task.number} of {task.url}")
        with metrics.making(metrics.RESTORE) as tally:
            restore_shard(dataset, shard, self._target, task.prefix)
            tally["samples"] += shard["samples"]
            tally["bytes_read"] += sum(file["bytes"] for file in shard["files"])
        yield task


class WriteShard(Step):
    """Write a shard of the plan, then its marker. Takes and gives shard numbers."""

    def __init__(self, plan: PlanFiles, markers: str, sources: ShardSources, out: str) -> None:
        """Keep where things are; the plan is read by the workers, a shard at a time."""
        super().__init__(sources.spool)
        self._plan, self._markers, self._sources, self._out = plan, markers, sources, out

    def process(self, number: int) -> Iterator[int]:
        """Write shard `number` of the plan unless its marker is there."""
        marker = marker_url(self._markers, number)
        if self.lacks(marker):
            whereabouts.note(f"shard {number} of {self._out}")
            with metrics.making(metrics.WRITE, "shards") as tally:
                result = write_shard(self._plan.task(number), self._sources, self._out)
                check_there(self._spool)
                storage.write_text(marker, [to_json(result_json(result))])
                tally["samples"] += result.samples
                tally[metrics.AUDIO] += round(1000 * result.seconds)
                tally["bytes_written"] += sum(file["bytes"] for file in result.files)
        else:
            metrics.found(metrics.WRITE, "shards")
        yield number
