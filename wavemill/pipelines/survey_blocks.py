"""Survey many units: workers read them, a block each, and the driver reads what they found.

A block's table lies in the spool, named by the units in it: a job that goes on reads it again, and
so does `add` of what was there. On a store the driver asks for a file a block, not for some a unit.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import apache_beam as beam
import pyarrow as pa

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import JobError
from wavemill.pipelines import crew
from wavemill.pipelines.blocks import Blocks, SurveyBlock, block_name, deal_out
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.survey import Gatherer, Survey, SurveyConfig, survey
from wavemill.pipelines.unit_names import as_names, write_names
from wavemill.pipelines.watch import files_watch, watching
from wavemill.spool import unit_url

BLOCK_UNITS = 512
VERSION = 1
"""Goes up when the same units would give other tables."""
UNITS_WORTH_A_PROCESS = 20_000
"""Fewer are read sooner than a process starts."""
NAMES = "surveyed.units"
"""In the spool, for as long as the pipeline runs: the names of the units."""


def survey_units(job: SpoolJob, units: Sequence[str], config: SurveyConfig) -> Survey:
    """Read units in order, few of them here and now, many by Beam.

    Raises:
        JobError: one cannot be read.

    """
    if len(units) <= BLOCK_UNITS:
        return survey(units, config)
    stage = f"survey-{digest([VERSION, asdict(config)])}"
    names = as_names(units)
    blocks = list(Blocks(0, len(names), BLOCK_UNITS).each())
    held = [block_name(names[start:stop]) for start, stop in blocks]
    missing = as_names(held).missing_in(job.finished(stage))
    place = storage.join(job.spool, NAMES)
    if missing.any():
        _run(job, place, names, (config, stage), int(missing.sum()))
    storage.remove(place)  # a job that was killed with all blocks made left it
    gatherer = Gatherer()
    for (start, _), block in zip(blocks, held, strict=True):
        gatherer.add(_read(unit_url(config.spool, stage, block)), start)
    return gatherer.survey()


def _run(
    job: SpoolJob, place: str, names: Sequence[str], to: tuple[SurveyConfig, str], missing: int
) -> None:
    config, stage = to
    write_names(place, names)

    def build(pipeline: Any) -> None:
        blocks = deal_out(pipeline, [Blocks(0, len(names), BLOCK_UNITS)], job.spool)
        _ = blocks | "survey" >> beam.ParDo(SurveyBlock(place, config, stage))

    with watching(job, "survey", missing, files_watch(job, stage)):
        engine = _engine_for(job, len(names))
        job.run(engine, build, "surveying")


def _engine_for(job: SpoolJob, units: int) -> Engine:
    if job.engine.is_local and units < UNITS_WORTH_A_PROCESS:
        return replace(job.engine, workers=1)
    return job.engine.settle(min(crew.available(), units // UNITS_WORTH_A_PROCESS + 1))


def _read(url: str) -> pa.Table:
    try:
        return pa.ipc.open_file(storage.read_bytes(url)).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise JobError(f"cannot read {url} of the spool: {error}; remove it") from error
