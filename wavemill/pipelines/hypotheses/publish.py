"""Write the parts, then what makes the folder one of hypotheses, `hypotheses.json` last."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import apache_beam as beam

import wavemill
from wavemill import storage
from wavemill.errors import JobError
from wavemill.hypotheses.card import card
from wavemill.hypotheses.folder import CORRECTIONS, FACTS, FORMAT, is_folder, part_name
from wavemill.hypotheses.splits import SPLITS
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
from wavemill.pipelines.hypotheses.tally import Tally, add, rates
from wavemill.pipelines.lock import check_held
from wavemill.pipelines.run_notes import write_run
from wavemill.pipelines.stock import Stock
from wavemill.pipelines.survey import count_recordings
from wavemill.pipelines.watch import files_watch, watching
from wavemill.pipelines.write import runs_of_zeros
from wavemill.sharding.dataset import CARD, REJECTED, RUN

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
    notes = [
        json.loads(storage.read_bytes(plan.marker(number)))
        for number in range(len(plan.starts) - 1)
    ]
    _clear(job, plan)
    content = _content(job, stock, name, notes)
    out = job.settings.out
    storage.write_text(storage.join(out, REJECTED), stock.rejects.lines())
    storage.write_text(storage.join(out, CARD), card(content))
    write_run(out, job.notes, content)
    check_held(job.spool)
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
    storage.write_text(storage.join(out, FACTS), text.splitlines())
    return content


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


def _clear(job: HypothesesJob, plan: PartSources) -> None:
    """Remove parts of an earlier, longer plan, and what killed writers left."""
    out, count = job.settings.out, len(plan.starts) - 1
    names = [part_name(number) for number in range(count)]
    if storage.is_local(out):
        storage.remove_partial(out, (*names, CARD, REJECTED, RUN, FACTS))
    number = count
    while storage.is_file(storage.join(out, part_name(number))):
        storage.remove(storage.join(out, part_name(number)))
        number += 1


def _content(
    job: HypothesesJob, stock: Stock, name: str, notes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    splits: dict[str, Tally] = {}
    total: Tally = {}
    languages = sorted({language for note in notes for language in note["languages"]})
    for note in notes:
        for split, counts in note["counts"].items():
            add(splits.setdefault(split, {}), counts)
            add(total, counts)
    parts = [
        {key: note[key] for key in ("name", "utterances", "bytes", "sha256")} for note in notes
    ]
    return {
        "format": FORMAT,
        "wavemill": wavemill.__version__,
        "digest": name,
        "inputs": list(job.settings.inputs),
        "licence": job.settings.licence,
        "languages": languages,
        "settings": job.settings.data_json(),
        "recognizer": asdict(job.facts),
        "normalizer": job.normalizer.version,
        "totals": {
            "recordings": stock.recordings,
            "rejected_recordings": count_recordings(stock.rejects),
            **rates(total),
        },
        "splits": {split: rates(splits[split]) for split in SPLITS if split in splits},
        "parts": parts,
        "rejected": dict(sorted(Counter(row["reason"] for row in stock.rejects).items())),
        "run": RUN,
    }
