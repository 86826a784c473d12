"""The job: ingest or read back, recognize, write.

Each step asks the spool what is there and makes the rest, so that a job killed at any moment goes
on where it stood, and ends with the same bytes.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wavemill.errors import JobError
from wavemill.pipelines import outdir
from wavemill.pipelines.hypotheses.job import HypothesesJob, find_dataset
from wavemill.pipelines.hypotheses.publish import check_corrections, write_folder
from wavemill.pipelines.hypotheses.steps import RecognizeUnit
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.intake import count_units, ingest
from wavemill.pipelines.lock import locked
from wavemill.pipelines.parts import Part
from wavemill.pipelines.readback import read_back, tasks_of
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.pipelines.stages import SegmentUnit
from wavemill.pipelines.stock import check_rejected, take_stock
from wavemill.pipelines.units import Steps, count_missing, run_units
from wavemill.sharding.dataset import Dataset


def run(job: HypothesesJob, *, clean: bool = False) -> dict[str, Any]:
    """Run a job to its end; return what `wavemill hypotheses --json` prints.

    Raises:
        TooManyRejectedError: more than `max_rejected` did not come through; nothing is published.
        DatasetError: a shard of the input is damaged.
        JobError: a stage failed; the spool is kept.

    """
    started = time.monotonic()
    out = job.settings.out
    dataset = find_dataset(job.settings.inputs)
    rows = None if dataset else read_inputs(job.settings.inputs, leave_out=out)
    with locked(job.spool, job.reporter.say):
        outdir.mark(out, job.spool)
        part = (
            _read_back(job, dataset)
            if dataset
            else ingest(job, rows or ()).part(job.settings.inputs)
        )
        if not part.recordings:
            raise JobError(f"no audio in {', '.join(job.settings.inputs)}")
        check_corrections(job, part.units)
        reused = run_units(job, part.units, unit_steps, "recognizing")
        stock = take_stock(job, [part])
        check_rejected(job, stock)
        content = write_folder(job, stock)
        if clean:  # under the lock: the next job's spool would go
            outdir.clear_spool(job.spool)
    return _summary(content, out, reused, started)


def dry_run(job: HypothesesJob) -> dict[str, Any]:
    """Say what a job would do, and write nothing."""
    dataset = find_dataset(job.settings.inputs)
    if dataset:
        totals = dataset.content["totals"]
        units = [task.unit for task in tasks_of(dataset, "")]
        recordings, hours, rejected = totals["samples"], totals["hours"], 0
    else:
        intake = count_units(job, read_inputs(job.settings.inputs, leave_out=job.settings.out))
        units = [*intake.units]
        recordings, rejected = intake.total, len(intake.rejects)
        hours = round(intake.stated_seconds / 3600, 6)
    missing = count_missing(job.pending(units))
    return {
        "recordings": recordings,
        "rejected": rejected,
        "hours": hours,
        "units": len(units),
        "units_to_do": missing,
        "reused_units": sum(len(units) - count for count in missing.values()),
        "out": job.settings.out,
        "dry_run": True,
    }


def unit_steps(job: HypothesesJob, missing: Mapping[str, int]) -> Steps:
    """Return the steps of a unit: what was read back from a dataset need not be cut."""
    del missing
    settings = job.settings
    cut = SegmentUnit(job.spool, settings.segments_stage, settings.segmenter, settings.form)
    recognize = RecognizeUnit(job.spool, job.heard_stage, settings)
    steps = [("segment", cut), ("recognize", recognize)]
    return steps[1:] if settings.of_dataset else steps


def _read_back(job: HypothesesJob, dataset: Dataset) -> Part:
    """Return the samples of a dataset as what comes in; its own rejects are its own."""
    part = read_back(job, [(dataset, "")])[0]
    return replace(
        part,
        inputs=job.settings.inputs,
        recordings=dataset.content["totals"]["samples"],
        rejects=RejectRows(),
        joined=(),
    )


def _summary(content: Mapping[str, Any], out: str, reused: int, started: float) -> dict[str, Any]:
    totals = content["totals"]
    names = ("recordings", "utterances", "short", "empty", "hypotheses", "hours", "wer", "o_nb",
             "o_cp")  # fmt: skip
    return {
        **{name: totals[name] for name in names},
        "rejected": totals["rejected_recordings"],
        "splits": {split: row["utterances"] for split, row in content["splits"].items()},
        "parts": len(content["parts"]),
        "reused_units": reused,
        "seconds": round(time.monotonic() - started, 3),
        "out": out,
    }
