"""Write the parts, then what makes the folder one of hypotheses, `hypotheses.json` last."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import apache_beam as beam

from wavemill import storage
from wavemill.errors import JobError
from wavemill.hypotheses.folder import CORRECTIONS, FACTS, is_folder
from wavemill.hypotheses.making import About, content_of, publish, remove_parts
from wavemill.pipelines.blocks import Blocks, deal_out
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.hypotheses.job import HypothesesJob
from wavemill.pipelines.hypotheses.parts import (
    PartSources,
    count_utterances,
    is_written,
    plan_name,
    plan_parts,
)
from wavemill.pipelines.hypotheses.steps import WritePart
from wavemill.pipelines.lock import check_held
from wavemill.pipelines.run_notes import write_run
from wavemill.pipelines.stock import Stock
from wavemill.pipelines.survey import count_recordings
from wavemill.pipelines.watch import files_watch, watching
from wavemill.pipelines.write import runs_of_zeros
from wavemill.sharding.dataset import REJECTED

PARTS = "parts-"
FEW_PARTS = 8
"""So many are written sooner than another process starts."""


def check_corrections(job: HypothesesJob, units: Sequence[str]) -> None:
    """Check that no corrections of other hypotheses lie where these will.

    Raises:
        JobError: they do.

    """
    out = job.settings.out
    if not storage.list_names(storage.join(out, CORRECTIONS)) or not is_folder(out):
        return
    there = json.loads(storage.read_bytes(storage.join(out, FACTS)))
    if there.get("digest") != plan_name(job, units):
        raise JobError(
            f"{out}/{CORRECTIONS} holds what was made of other hypotheses than these would be: give"
            " another --out, or remove that folder"
        )


def write_folder(job: HypothesesJob, stock: Stock) -> dict[str, Any]:
    """Write the parts that are missing, and publish; return the content of `hypotheses.json`."""
    job.notes.begin("write")
    name = plan_name(job, stock.units)
    counts = count_utterances(stock.found.lengths.unit, len(stock.units))
    check_held(job.spool)
    _make_room(job, name)
    plan = plan_parts(job, name, stock.units, counts)
    _write_parts(job, plan)
    job.notes.begin("publish")
    out, count = job.settings.out, len(plan.starts) - 1
    remove_parts(out, count)
    notes = (json.loads(storage.read_bytes(plan.marker(number))) for number in range(count))
    content = content_of(
        _about(job, name),
        notes,
        stock.rejects,
        recordings=stock.recordings,
        rejected_recordings=count_recordings(stock.rejects),
    )
    storage.write_text(storage.join(out, REJECTED), stock.rejects.lines())
    write_run(out, job.notes, content)
    check_held(job.spool)
    publish(out, content)
    return content


def _about(job: HypothesesJob, name: str) -> About:
    return About(
        digest=name,
        inputs=job.settings.inputs,
        settings=job.settings.data_json(),
        recognizer=asdict(job.facts),
        normalizer=job.normalizer.version,
        licence=job.settings.licence,
    )


def _make_room(job: HypothesesJob, name: str) -> None:
    """Forget other plans, and that the folder was whole, before their parts are written over."""
    out, facts = job.settings.out, storage.join(job.settings.out, FACTS)
    if is_folder(out):
        there = json.loads(storage.read_bytes(facts))
        if there.get("digest") != name:
            storage.remove(facts)
    for other in storage.list_names(job.spool):
        if other.startswith(PARTS) and not other.startswith(f"{PARTS}{name}"):
            storage.remove(storage.join(job.spool, other))


def _write_parts(job: HypothesesJob, plan: PartSources) -> None:
    count = len(plan.starts) - 1
    done = bytearray(is_written(plan, number) for number in range(count))
    for number in range(count):
        if not done[number]:
            storage.remove(plan.marker(number))
    if all(done):
        job.reporter.say(f"parts: {count} were done before")
        return
    runs = [Blocks(*run) for run in runs_of_zeros(done)]

    def build(pipeline: Any) -> None:
        blocks = deal_out(pipeline, runs, job.spool)
        step = WritePart(plan)
        _ = blocks | "parts" >> beam.FlatMap(lambda at: range(*at)) | "write" >> beam.ParDo(step)

    missing = count - sum(done)
    with watching(job, "parts", missing, files_watch(job, plan.markers)):
        job.run(_engine_for(job, missing), build, "writing parts")


def _engine_for(job: HypothesesJob, parts: int) -> Engine:
    if job.engine.is_local and parts <= FEW_PARTS:
        return replace(job.engine, workers=1)
    return job.engine.settle(1)
