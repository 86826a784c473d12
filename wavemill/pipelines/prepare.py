"""The main job: ingest, segment, tokenize, plan, write, publish.

Each step asks the spool what is there and makes the rest, so that a job killed at any moment goes
on where it stood, and ends with the same bytes.
"""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from wavemill import storage
from wavemill.errors import JobError, TooManyRejectedError
from wavemill.pipelines import outdir
from wavemill.pipelines.filters import FILTERS
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.job import Job
from wavemill.pipelines.lock import locked
from wavemill.pipelines.parts import Part, check_keeps
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.pipelines.stock import Stock, take_stock
from wavemill.pipelines.unit_names import UnitNames
from wavemill.pipelines.units import count_missing, run_units
from wavemill.pipelines.watch import in_words
from wavemill.pipelines.write import write_dataset
from wavemill.records import (
    DUPLICATE_AUDIO,
    NEAR_DUPLICATE,
    RECORDING_SCHEMA,
    Recording,
    Reject,
    recording_row,
)
from wavemill.sharding.dataset import REJECTED
from wavemill.spool import RECORDINGS, group_units, unit_url, write_unit

LEFT_OUT = (DUPLICATE_AUDIO, NEAR_DUPLICATE, *(one.reason for one in FILTERS))
"""Reasons of rejects that were asked for: they are no failure."""


WRITERS = 16
"""Units that ingest writes at a time."""


@dataclass(kw_only=True)
class Intake:
    """What came in."""

    units: UnitNames = field(default_factory=UnitNames)
    recordings: int = 0
    stated_seconds: float = 0.0
    """The sum of the durations that rows state."""
    rejects: RejectRows = field(default_factory=RejectRows)

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
            units=self.units,
            recordings=self.total,
            rejects=self.rejects,
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
    with locked(job.spool, job.reporter.say):
        check_keeps(out, job.settings.inputs)  # another job may have ended since
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
    missing = count_missing(job.pending(intake.units))
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
    for unit, _ in _units(job, rows, intake):
        intake.units.add(unit)
    return intake


def ingest(job: Job, rows: Iterable[Recording | Reject]) -> Intake:
    """Read the inputs into units of the spool; a unit that is there is left alone."""
    job.notes.begin("ingest")
    intake = Intake()
    with job.reporter.stage("ingest", None) as show:
        writing: deque[Future[None]] = deque()
        # What flushes a file, or answers from afar, is waited for by several at a time.
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="wavemill-ingest") as pool:
            for unit, recordings in _units(job, rows, intake):
                writing.append(pool.submit(_write_unit, job.spool, unit, recordings))
                if len(writing) > WRITERS:
                    writing.popleft().result()
                intake.units.add(unit)
                show(intake.recordings)
            for written in writing:
                written.result()
        show(intake.recordings, intake.rejected())
    return intake


def _write_unit(spool: str, unit: str, recordings: Sequence[Recording]) -> None:
    place = unit_url(spool, RECORDINGS, unit)
    if not storage.is_file(place):
        outdir.check_there(spool)
        with write_unit(place, RECORDING_SCHEMA) as file:
            for recording in recordings:
                file.add(recording_row(recording))


def _units(
    job: Job, rows: Iterable[Recording | Reject], intake: Intake
) -> Iterator[tuple[str, list[Recording]]]:
    return group_units(_keep_account(rows, intake), int(job.settings.unit_mb * 2**20))


def _keep_account(rows: Iterable[Recording | Reject], intake: Intake) -> Iterator[Recording]:
    for row in rows:
        if isinstance(row, Reject):
            intake.rejects.add({**vars(row), "recording": row.id})
        else:
            intake.recordings += 1
            intake.stated_seconds += row.window.duration_seconds or 0.0
            yield row


def check_rejected(job: Job, stock: Stock) -> None:
    """Stop the job where too much is bad of the last part: of the recordings, or of the segments.

    Raises:
        TooManyRejectedError: more than `max_rejected` did not come through.
        JobError: nothing came through.

    """
    losses = stock.losses
    report = storage.join(job.spool, REJECTED)
    storage.write_text(report, stock.rejects.lines())
    if losses.share > job.settings.max_rejected:
        reasons = sorted(losses.reasons)
        raise TooManyRejectedError(
            f"{losses.share:.1%} was rejected, more than --max-rejected"
            f" {job.settings.max_rejected:g} ({', '.join(reasons)}); see {report}. Mend the input,"
            " or allow more; what was done is kept"
        )
    if not len(stock.found.lengths):
        raise JobError(f"nothing came through; see {report}")
