"""The main job: ingest, segment, tokenize, plan, write, publish.

Each step asks the spool what is there and makes the rest, so that a job killed at any moment goes
on where it stood, and ends with the same bytes.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import apache_beam as beam

from wavemill import storage
from wavemill.errors import JobError, TooManyRejectedError
from wavemill.pipelines import crew, outdir
from wavemill.pipelines import engine as engines
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.filters import FILTERS
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.job import Job
from wavemill.pipelines.lock import locked
from wavemill.pipelines.parts import Part, check_keeps
from wavemill.pipelines.stages import FingerprintUnit, SegmentUnit, TokenizeUnit
from wavemill.pipelines.stock import Stock, take_stock
from wavemill.pipelines.survey import RejectRow
from wavemill.pipelines.watch import UnitWatch, in_words, watching
from wavemill.pipelines.write import write_dataset
from wavemill.records import (
    DUPLICATE_AUDIO,
    NEAR_DUPLICATE,
    RECORDING_SCHEMA,
    Recording,
    Reject,
    recording_row,
    to_json,
)
from wavemill.sharding.dataset import REJECTED
from wavemill.spool import RECORDINGS, group_units, unit_url, write_unit
from wavemill.tokenizers.table import make_tokenizers

LEFT_OUT = (DUPLICATE_AUDIO, NEAR_DUPLICATE, *(one.reason for one in FILTERS))
"""Reasons of rejects that were asked for: they are no failure."""


@dataclass(kw_only=True)
class Intake:
    """What came in."""

    units: list[str] = field(default_factory=list)
    recordings: int = 0
    stated_seconds: float = 0.0
    """The sum of the durations that rows state."""
    rejects: list[RejectRow] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Recordings in, the rejected ones too."""
        return self.recordings + len(self.rejects)

    def rejected(self) -> str:
        """Say how many were rejected, and why; nothing if none were."""
        reasons = Counter(row["reason"] for row in self.rejects)
        return in_words(reasons) if reasons else ""

    def part(self, inputs: Sequence[str], joined: Sequence[str] = ()) -> Part:
        """Return it as a part of a dataset."""
        return Part(
            inputs=tuple(inputs),
            units=tuple(self.units),
            recordings=self.total,
            rejects=tuple(self.rejects),
            joined=tuple(joined),
        )


def prepare(job: Job, *, clean: bool = False) -> dict[str, Any]:
    """Run a job to its end; return what `wavemill prepare --json` prints.

    Raises:
        TooManyRejectedError: more than `max_rejected` did not come through; nothing is published.
        JobError: a stage failed; the spool is kept.

    """
    started = time.monotonic()
    out = job.settings.out
    check_keeps(out, job.settings.inputs)
    # An input that is not there stops the job here.
    rows = read_inputs(job.settings.inputs, leave_out=out)
    with locked(job.spool):
        outdir.mark(out, job.spool)
        intake = ingest(job, rows)
        if not intake.total:
            raise JobError(f"no audio in {', '.join(job.settings.inputs)}")
        reused = run_units(job, intake.units)
        stock = take_stock(job, [intake.part(job.settings.inputs)])
        check_rejected(job, stock)
        content = write_dataset(job, stock)
        if clean:  # under the lock: the next job's spool would go
            outdir.clear_spool(job.spool)
    return summarize(content, out, reused, started)


def summarize(content: dict[str, Any], out: str, reused: int, started: float) -> dict[str, Any]:
    """Return what `--json` prints of a job that began at `started`, by the monotonic clock."""
    totals = content["totals"]
    return {
        "recordings": totals["recordings"],
        "segments": totals["samples"],
        "rejected": totals["rejected_recordings"],
        "left_out": sum(content["rejected"].get(reason, 0) for reason in LEFT_OUT),
        "hours": totals["hours"],
        "shards": totals["shards"],
        "reused_units": reused,
        "seconds": round(time.monotonic() - started, 3),
        "out": out,
    }


def dry_run(job: Job) -> dict[str, Any]:
    """Say what a job would do, and write nothing."""
    check_keeps(job.settings.out, job.settings.inputs)
    intake = count_units(job, read_inputs(job.settings.inputs, leave_out=job.settings.out))
    missing = {stage: len(left) for stage, left in job.pending(intake.units).items()}
    return {
        "recordings": intake.total,
        "rejected": len(intake.rejects),
        "hours": round(intake.stated_seconds / 3600, 6),
        "units": len(intake.units),
        "units_to_do": missing,
        "reused_units": sum(len(intake.units) - count for count in missing.values()),
        "out": job.settings.out,
        "dry_run": True,
    }


def count_units(job: Job, rows: Iterable[Recording | Reject]) -> Intake:
    """Read the inputs, and write nothing."""
    intake = Intake()
    intake.units += [unit for unit, _ in _units(job, rows, intake)]
    return intake


def ingest(job: Job, rows: Iterable[Recording | Reject]) -> Intake:
    """Read the inputs into units of the spool; a unit that is there is left alone."""
    job.notes.begin("ingest")
    intake = Intake()
    with job.reporter.stage("ingest", None) as show:
        for unit, recordings in _units(job, rows, intake):
            place = unit_url(job.spool, RECORDINGS, unit)
            if not storage.exists(place):
                with write_unit(place, RECORDING_SCHEMA) as file:
                    for recording in recordings:
                        file.add(recording_row(recording))
            intake.units.append(unit)
            show(intake.recordings)
        show(intake.recordings, intake.rejected())
    return intake


def _units(
    job: Job, rows: Iterable[Recording | Reject], intake: Intake
) -> Iterator[tuple[str, list[Recording]]]:
    return group_units(_keep_account(rows, intake), int(job.settings.unit_mb * 2**20))


def _keep_account(rows: Iterable[Recording | Reject], intake: Intake) -> Iterator[Recording]:
    for row in rows:
        if isinstance(row, Reject):
            intake.rejects.append({**vars(row), "recording": row.id})
        else:
            intake.recordings += 1
            intake.stated_seconds += row.window.duration_seconds or 0.0
            yield row


def run_units(job: Job, units: Sequence[str]) -> int:
    """Segment and tokenize what is missing; return how many unit files were there already."""
    job.notes.begin("units")
    pending = job.pending(units)
    missing = sum(map(len, pending.values()))
    reused = len(units) * len(job.stages) - missing
    job.notes.reused_units = reused
    if missing:
        wanted = [unit for unit in units if any(unit in left for left in pending.values())]
        watch = UnitWatch(job, pending)
        build = partial(_unit_pipeline, job=job, units=wanted, pending=pending)
        engine = _crewed(job, len(wanted))
        with watching(job, "units", watch.total, watch.look):
            what = "segmenting and tokenizing"
            job.notes.add(engine, engines.run(engine, build, what, job.settings.out))
    if reused:
        job.reporter.say(f"units: {reused} files were there before")
    return reused


def _crewed(job: Job, units: int) -> Engine:
    """Give a job's engine as many workers as so many units are worth, unless it was told."""
    engine = job.engine
    if engine.runner != engines.LOCAL or engine.workers or min(units, crew.available()) < 2:
        return engine
    if crew.need_gpu(job.settings.tokenizers):
        return engine.settle(1)
    cost = crew.measure(make_tokenizers(job.settings.tokenizers))
    return engine.settle(crew.worth(units, int(job.settings.unit_mb * 2**20), cost))


def _unit_pipeline(
    pipeline: Any, *, job: Job, units: list[str], pending: dict[str, set[str]]
) -> None:
    settings = job.settings
    done = (
        pipeline
        | "units" >> beam.Create(units)
        | "spread" >> beam.Reshuffle()
        | "segment"
        >> beam.ParDo(
            SegmentUnit(job.spool, settings.segments_stage, settings.segmenter, settings.form)
        )
    )
    prints = settings.fingerprints_stage
    if pending.get(prints):
        done |= "fingerprint" >> beam.ParDo(
            FingerprintUnit(job.spool, settings.segments_stage, prints)
        )
    for stage, facts, spec in zip(job.token_stages, job.facts, settings.tokenizers, strict=True):
        if pending[stage]:
            done |= f"tokenize {facts.name}" >> beam.ParDo(
                TokenizeUnit(job.spool, settings.segments_stage, stage, spec, facts.name)
            )


def check_rejected(job: Job, stock: Stock) -> None:
    """Stop the job where too much is bad of the last part: of the recordings, or of the segments.

    Raises:
        TooManyRejectedError: more than `max_rejected` did not come through.
        JobError: nothing came through.

    """
    losses = stock.losses
    report = storage.join(job.spool, REJECTED)
    storage.write_text(report, map(to_json, stock.rejects))
    if losses.share > job.settings.max_rejected:
        reasons = sorted(losses.reasons)
        raise TooManyRejectedError(
            f"{losses.share:.1%} was rejected, more than --max-rejected"
            f" {job.settings.max_rejected:g} ({', '.join(reasons)}); see {report}. Mend the input,"
            " or allow more; what was done is kept"
        )
    if not len(stock.found.lengths):
        raise JobError(f"nothing came through; see {report}")
