"""`add`: new recordings join a prepared dataset, and what is there is neither read nor made again.

The units of the dataset's spool are taken as they are, and new ones are made of the new inputs.
Then the job goes on as `prepare` does: plan, write, publish. Where the spool is gone it is read
back from the shards first; these go only when the spool holds all of them. Until then a job that is
stopped, or that fails, leaves the dataset as it was.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from wavemill.errors import JobError, UsageError
from wavemill.pipelines import outdir
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.ingest import Before, read_inputs
from wavemill.pipelines.intake import count_units, ingest
from wavemill.pipelines.job import Job
from wavemill.pipelines.lock import locked
from wavemill.pipelines.parts import (
    Base,
    all_inputs,
    all_units,
    facts_of,
    find_base,
    keep_base,
)
from wavemill.pipelines.prepare import summarize
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.readback import read_back, tasks_of
from wavemill.pipelines.restore import read_recordings
from wavemill.pipelines.segmenters import make_segmenter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.stock import check_rejected, take_stock
from wavemill.pipelines.unit_names import as_names
from wavemill.pipelines.units import count_missing, run_units, unit_steps
from wavemill.pipelines.write import write_dataset
from wavemill.records import Recording, recording_from_row
from wavemill.specs import Spec
from wavemill.spool import RECORDINGS, UnitReader, unit_url
from wavemill.tokenizers import make_tokenizers
from wavemill.tokenizers.base import TokenizerFacts


def make_adding_job(
    out: str,
    inputs: Sequence[str],
    engine: Engine,
    reporter: Reporter,
    *,
    tokenizers: Sequence[Spec] = (),
    verify: bool = False,
    **limits: float,
) -> Job:
    """Build the job that adds inputs to a dataset with the settings that made it.

    Args:
        out: the dataset.
        inputs: what comes to it.
        engine: where the job runs.
        reporter: shows how far it is.
        tokenizers: in place of those recorded, for weights that lie elsewhere now.
        verify: whether finished shards are read again.
        limits: `max_rejected`, of the new recordings, and `unit_mb`.

    Raises:
        DatasetError: there is no dataset, or one that cannot be read.
        UsageError: an input lies in it, or a tokenizer is not the one that made its tokens.

    """
    base = find_base(out)
    outdir.check_out(out, inputs)
    recorded = PrepareSettings.recorded(
        base.dataset.content["settings"],
        out=out,
        inputs=(*base.dataset.content["inputs"], *inputs),
        **limits,
    )
    settings = replace(recorded, tokenizers=_replaced(recorded.tokenizers, base, tokenizers))
    make_segmenter(settings.segmenter)
    facts = facts_of(base.dataset.content)
    _check_tokenizers(out, settings.tokenizers, facts)
    return Job(settings=settings, engine=engine, facts=facts, reporter=reporter, verify=verify)


def add(job: Job, inputs: Sequence[str], *, clean: bool = False) -> dict[str, Any]:
    """Add inputs to a dataset; return what `wavemill add --json` prints.

    Raises:
        TooManyRejectedError: more than `max_rejected` of what is new did not come through.
        DatasetError: a shard that has to be read back is damaged.
        JobError: a stage failed. The dataset is as it was in each of these cases.

    """
    started = time.monotonic()
    out = job.settings.out
    with locked(job.spool, job.reporter.say):
        base = _base(job)
        _check_unchanged(job, base)
        before = Before(_known(job, base), whole=job.settings.segmenter.name == "none")
        rows = read_inputs(inputs, leave_out=out, before=before)
        outdir.mark(out, job.spool)
        intake = ingest(job, rows)
        if not intake.total and not before.skipped:
            raise JobError(f"no audio in {', '.join(inputs)}")
        _say_skipped(job, before)
        fresh = [intake.part(inputs, joined=inputs)] if intake.total else []
        if not fresh and base.parts is None:  # nothing to read the shards back for
            # What is left of a spool may be a killed job's that was removing it.
            (outdir.clear_spool if clean else outdir.clear_unused)(job.spool)
            return {**summarize(base.dataset.content, out, 0, started), **_counts(0, before)}
        parts = base.parts or (read_back(job, [(base.dataset, "")], job.streams)[0],)
        reused = run_units(job, all_units([*parts, *fresh]), unit_steps)
        stock = take_stock(job, [*parts, *fresh])
        held = base.dataset.content["totals"]["recordings"]
        if stock.recordings == held:
            # Only what did not come through before, either.
            stock = take_stock(job, parts)
        else:
            check_rejected(job, stock)
        keep_base(job.spool, base, parts)
        job = replace(job, settings=replace(job.settings, inputs=all_inputs(stock.parts)))
        content = write_dataset(job, stock)
        if clean:
            outdir.clear_spool(job.spool)
    came = _counts(stock.recordings - held, before)
    return {**summarize(content, out, reused, started), **came}


def dry_run(job: Job, inputs: Sequence[str]) -> dict[str, Any]:
    """Say what `add` would do, and write nothing."""
    base = _base(job)
    before = Before(_known(job, base), whole=job.settings.segmenter.name == "none")
    intake = count_units(job, read_inputs(inputs, leave_out=job.settings.out, before=before))
    content = base.dataset.content
    shards = content["shards"]
    if base.parts is None:
        tasks = tasks_of(base.dataset, "")
        pending = job.pending([task.unit for task in tasks])
        reused = len(tasks) * len(pending) - sum(count_missing(pending).values())
        restored = int(np.count_nonzero(np.logical_or.reduce([*pending.values()])))
    else:
        reused = sum(len(part.units) for part in base.parts) * len(job.stages)
        restored = 0
    missing = count_missing(job.pending(intake.units))
    return {
        "recordings": content["totals"]["recordings"] + intake.total,
        "added": intake.total,
        "skipped": before.skipped,
        "rejected": len(intake.rejects),
        "units": len(intake.units),
        "units_to_do": missing,
        "reused_units": reused + sum(len(intake.units) - count for count in missing.values()),
        "shards_read_back": restored if intake.total else 0,
        "shards_rewritten": len(shards) if intake.total else 0,
        "out": job.settings.out,
        "dry_run": True,
    }


def _replaced(recorded: Sequence[Spec], base: Base, given: Sequence[Spec]) -> tuple[Spec, ...]:
    """Put given specs in the place of those recorded for the streams of their names."""
    streams = dict(zip(base.dataset.content["tokenizers"], recorded, strict=True))
    for spec in given:
        name = dict(spec.settings).get("name", spec.name)
        if name not in streams:
            known = ", ".join(streams) or "none"
            raise UsageError(
                f"--tokenizer {spec}: {base.dataset.url} has no stream {name!r}; it has {known}."
                " `wavemill prepare` makes one with other streams"
            )
        streams[name] = spec
    return tuple(streams.values())


def _check_tokenizers(out: str, specs: Sequence[Spec], facts: Sequence[TokenizerFacts]) -> None:
    for spec, tokenizer, stated in zip(specs, make_tokenizers(specs), facts, strict=True):
        if tokenizer.facts != stated:
            raise UsageError(
                f"--tokenizer {spec} is not what made the stream {stated.name} of {out}: its"
                f" weights or settings are others now. Give the right ones, as --tokenizer"
                f" {spec.name}:model=FOLDER"
            )


def _base(job: Job) -> Base:
    """Find the dataset; its parts count only if the spool holds all units that they name."""
    base = find_base(job.settings.out)
    if base.parts is None:
        return base
    units = as_names(all_units(base.parts))
    stages = (RECORDINGS, *job.stages)
    if not any(units.missing_in(job.finished(stage)).any() for stage in stages):
        return base
    if not base.published:
        raise JobError(
            f"{job.spool} has lost what it held of {job.settings.out}, whose shards were being"
            " written anew: `wavemill prepare` with all inputs makes it again"
        )
    return replace(base, parts=None)


def _check_unchanged(job: Job, base: Base) -> None:
    """Check that no other job has made another dataset of it since this one was set up."""
    content, settings = base.dataset.content, job.settings
    now = PrepareSettings.recorded(
        content["settings"],
        out=settings.out,
        inputs=settings.inputs,
        tokenizers=settings.tokenizers,
    )
    if now.data_json() != settings.data_json() or facts_of(content) != job.facts:
        raise JobError(f"{job.settings.out} was changed by another job just now; run it again")


def _known(job: Job, base: Base) -> Iterator[Recording]:
    """Yield the recordings that are there, from the spool or the shards."""
    if base.parts is None:
        yield from read_recordings(base.dataset)
        return
    for part in base.parts:
        for unit in part.units:
            reader = UnitReader(unit_url(job.spool, RECORDINGS, unit))
            yield from map(recording_from_row, reader.rows())


def _say_skipped(job: Job, before: Before) -> None:
    if before.skipped:
        out = job.settings.out
        job.reporter.say(f"ingest: {before.skipped} are in {out} already and were passed over")


def _counts(came: int, before: Before) -> dict[str, int]:
    return {"added": came, "skipped": before.skipped}
