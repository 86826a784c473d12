"""The main job: ingest, segment, tokenize, plan, write, publish.

Each step asks the spool what is there and makes the rest, so that a job killed at any moment goes
on where it stood, and ends with the same bytes.
"""

import time
from typing import Any

from wavemill.errors import JobError
from wavemill.pipelines import outdir
from wavemill.pipelines.filters import FILTERS
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.intake import count_units, ingest
from wavemill.pipelines.job import Job
from wavemill.pipelines.lock import locked
from wavemill.pipelines.parts import check_keeps
from wavemill.pipelines.stock import check_rejected, take_stock
from wavemill.pipelines.units import count_missing, run_units, unit_steps
from wavemill.pipelines.write import write_dataset
from wavemill.records import DUPLICATE_AUDIO, NEAR_DUPLICATE

LEFT_OUT = (DUPLICATE_AUDIO, NEAR_DUPLICATE, *(one.reason for one in FILTERS))
"""Reasons of rejects that were asked for: they are no failure."""


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
        reused = run_units(job, intake.units, unit_steps)
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
