"""Run the steps that make a file of the spool of each unit.

Beam is given places in a file of names, not the names: what a pipeline says of itself, and what it
shuffles, stays small however many units there are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import apache_beam as beam
import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.columns import Array, slices
from wavemill.pipelines import crew
from wavemill.pipelines.blocks import Blocks, NameUnits, deal_out
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.stages import FingerprintUnit, SegmentUnit, TokenizeUnit
from wavemill.pipelines.unit_names import UnitNames, as_names, write_names
from wavemill.pipelines.watch import UnitWatch, watching
from wavemill.records import recording_from_row
from wavemill.spool import RECORDINGS, UnitReader, input_bytes, unit_url

WANTED = "wanted.units"
"""In the spool, for as long as a pipeline runs: the names of the units that it is to make."""
BLOCKS_A_JOB = 1024
"""About so many blocks a job has to deal out, unless they would be too large."""
MOST_IN_A_BLOCK = 256

MOST_WEIGHED = 1 << 10
"""Units of which the largest come first, that no worker may wait for another that has just begun
one; where there are more, none of them is long beside the whole."""
MOST_WATCHED = 1 << 14
"""Units whose names are held to see which are done: of more, some stand for all."""

AnyJob = TypeVar("AnyJob", bound=SpoolJob)
Pending = Mapping[str, npt.NDArray[np.bool_]]
"""Which of the units each stage has yet to make, [N]."""
Steps = Sequence[tuple[str, beam.DoFn]]
"""Labels and steps that take and give unit names, in their order."""


def count_missing(pending: Pending) -> dict[str, int]:
    """Say how many units each stage has yet to make."""
    return {stage: int(np.count_nonzero(left)) for stage, left in pending.items()}


def unit_steps(job: Job, missing: Mapping[str, int]) -> Steps:
    """Return the steps of those stages that miss something; the segments' comes in any case."""
    settings = job.settings
    segments, prints = settings.segments_stage, settings.fingerprints_stage
    steps: list[tuple[str, beam.DoFn]] = [
        ("segment", SegmentUnit(job.spool, segments, settings.segmenter, settings.form))
    ]
    if missing.get(prints):
        steps.append(("fingerprint", FingerprintUnit(job.spool, segments, prints)))
    for stage, facts, spec in zip(job.token_stages, job.facts, settings.tokenizers, strict=True):
        if missing[stage]:
            step = TokenizeUnit(job.spool, segments, stage, spec, facts.name)
            steps.append((f"tokenize {facts.name}", step))
    return steps


def run_units(
    job: AnyJob,
    units: Sequence[str],
    make_steps: Callable[[AnyJob, Mapping[str, int]], Steps],
    what: str = "segmenting and tokenizing",
) -> int:
    """Make what is missing; return how many unit files were there already.

    Args:
        job: whose units they are.
        units: their names.
        make_steps: given how many units each stage has yet to make, returns the steps.
        what: is done, for an error.

    """
    job.notes.begin("units")
    pending = job.pending(units)
    missing = count_missing(pending)
    total = sum(missing.values())
    reused = len(units) * len(job.stages) - total
    job.notes.reused_units = reused
    place = storage.join(job.spool, WANTED)
    if total:
        wanted = UnitNames(as_names(units).select(_any_of(pending)))
        engine = _crewed(job, len(wanted))
        if engine.workers not in (None, 1) and _can_weigh(job, len(wanted)):
            wanted = UnitNames(sorted(wanted, key=lambda unit: _weight(job, unit), reverse=True))
        write_names(place, wanted)
        watch = UnitWatch(job, _watched(as_names(units), pending, len(wanted)), len(wanted))
        build = partial(
            unit_pipeline,
            spool=job.spool,
            names=place,
            count=len(wanted),
            steps=make_steps(job, missing),
        )
        with watching(job, "units", watch.total, watch.look):
            job.run(engine, build, what)
    storage.remove(place)  # a job that was killed with all units made left it
    if reused:
        job.reporter.say(f"units: {reused} files were there before")
    return reused


def _can_weigh(job: SpoolJob, units: int) -> bool:
    """Say whether it takes next to no time."""
    return storage.is_local(job.spool) and units <= MOST_WEIGHED


def _weight(job: SpoolJob, unit: str) -> int:
    """Say how much there is of a unit, in bytes: of its segments once they are cut."""
    cut = unit_url(job.spool, job.settings.segments_stage, unit)
    if storage.is_file(cut):
        return storage.info(cut).size
    recordings = UnitReader(unit_url(job.spool, RECORDINGS, unit)).rows()
    return sum(input_bytes(recording_from_row(row)) for row in recordings)


def _watched(names: UnitNames, pending: Pending, wanted: int) -> dict[str, set[str]]:
    """Return which of the units each stage has yet to make, or of so many that some are enough."""
    step = -(-wanted // MOST_WATCHED)
    found: dict[str, set[str]] = {stage: set() for stage in pending}
    for part in slices(len(names)):
        some = slice(part.start + -part.start % step, part.stop, step)
        chosen = np.array(names[some])
        for stage, flags in pending.items():
            found[stage].update(chosen[flags[some]].tolist())
    return found


def _any_of(pending: Pending) -> Iterator[Array]:
    """Yield for pieces of the units whether any stage has yet to make them."""
    columns = list(pending.values())
    for part in slices(len(columns[0])):
        yield np.logical_or.reduce([column[part] for column in columns])


def unit_pipeline(pipeline: Any, *, spool: str, names: str, count: int, steps: Steps) -> None:
    """Build the pipeline that takes the units of a file of names through some steps."""
    size = min(max(1, count // BLOCKS_A_JOB), MOST_IN_A_BLOCK)
    blocks = deal_out(pipeline, [Blocks(0, count, size)], spool)
    done = blocks | "units" >> beam.ParDo(NameUnits(spool, names))
    for label, step in steps:
        done |= label >> beam.ParDo(step)


def _crewed(job: SpoolJob, units: int) -> Engine:
    """Give a job's engine as many workers as so many units are worth, unless it was told."""
    engine = job.engine
    if not engine.is_local or engine.workers or min(units, crew.available()) < 2:
        return engine
    if job.needs_gpu:
        return engine.settle(1)
    return engine.settle(crew.worth(units, job.settings.unit_bytes, job.measure()))
