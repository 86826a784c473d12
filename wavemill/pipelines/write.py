"""The second half of the job: from what the spool holds to a published dataset."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
import pyarrow as pa

from wavemill import storage
from wavemill.digest import digest
from wavemill.pipelines import crew, outdir
from wavemill.pipelines import engine as engines
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job
from wavemill.pipelines.publish import Finished, publish
from wavemill.pipelines.settings import LAYOUT_VERSION
from wavemill.pipelines.stages import WriteShard, marker_url
from wavemill.pipelines.stock import Stock
from wavemill.pipelines.survey import Survey
from wavemill.pipelines.watch import files_watch, watching
from wavemill.sharding import layout
from wavemill.sharding.plan import PlanConfig, ShardPlan, plan_shards
from wavemill.sharding.writer import ShardSources

BYTES_WORTH_A_PROCESS = 1 << 30

PLAN_SCHEMA = pa.schema(
    [
        pa.field("bucket", pa.string()),
        pa.field("number", pa.int32()),
        pa.field("unit", pa.string()),
        pa.field("row", pa.int32()),
    ]
)


def write_dataset(job: Job, stock: Stock) -> dict[str, Any]:
    """Plan the shards, write those that are missing, and publish.

    Args:
        job: what to do.
        stock: what the spool holds.

    Returns:
        The content of `dataset.json`.

    """
    job.notes.begin("plan")
    settings, found, units = job.settings, stock.found, stock.units
    config = PlanConfig(
        num_buckets=settings.num_buckets,
        num_sub_buckets=settings.num_sub_buckets,
        shard_bytes=settings.shard_bytes,
        seed=settings.seed,
    )
    buckets, shards = plan_shards(found.lengths, config)
    name = digest([LAYOUT_VERSION, settings.data_json(), job.stages, units], size=12)
    markers = storage.join(job.spool, f"shards-{name}")
    plan = outdir.plan_url(job.spool, name)
    streams = [
        name for facts in job.facts for name in layout.stream_names(facts.name, facts.frame_rate)
    ]
    note = {"plan": name, "streams": streams, "audio": settings.audio != "none"}
    outdir.make_room(settings.out, job.spool, note)
    if not storage.exists(plan):
        _write_plan(plan, shards, found, units)
    places = [marker_url(markers, number) for number in range(len(shards))]
    job.notes.begin("write")
    _write_shards(job, plan, markers, places, found)
    job.notes.begin("publish")
    outdir.clear_partial(settings.out)  # workers may have been killed and replaced
    finished = Finished(
        settings=settings,
        facts=job.facts,
        buckets=buckets,
        markers=places,
        stock=stock,
        spool=job.spool,
        notes=job.notes,
    )
    with job.reporter.stage("publish", 1):
        return publish(finished)


def _write_plan(url: str, shards: Sequence[ShardPlan], found: Survey, units: Sequence[str]) -> None:
    with storage.write_atomically(url) as file, pa.ipc.new_file(file, PLAN_SCHEMA) as arrow:
        for shard in shards:
            members = shard.members
            columns = {
                "bucket": [shard.bucket] * len(members),
                "number": [shard.number] * len(members),
                "unit": [units[index] for index in found.lengths.unit[members]],
                "row": found.lengths.row[members],
            }
            arrow.write_batch(pa.RecordBatch.from_pydict(columns, schema=PLAN_SCHEMA))


def _write_shards(job: Job, plan: str, markers: str, places: Sequence[str], found: Survey) -> None:
    pending = [number for number, place in enumerate(places) if not _is_done(job, place)]
    if not pending:
        job.reporter.say(f"shards: {len(places)} were done before")
        return
    sources = ShardSources(
        spool=job.spool,
        segments=job.settings.segments_stage,
        streams=tuple(zip(job.token_stages, job.facts, strict=True)),
        audio=job.settings.audio,
    )

    def build(pipeline: Any) -> None:
        _ = (
            pipeline
            | "shards" >> beam.Create(pending)
            | "spread" >> beam.Reshuffle()
            | "write" >> beam.ParDo(WriteShard(plan, markers, sources, job.settings.out))
        )

    folder = markers.rsplit("/", 1)[-1]
    with watching(job, "shards", len(pending), files_watch(job, folder)):
        engine = _engine_for(job, int(found.lengths.num_bytes.sum()), len(pending))
        measured = engines.run(engine, build, "writing shards", job.settings.out)
        job.notes.add(engine, measured)


def _engine_for(job: Job, num_bytes: int, num_shards: int) -> Engine:
    """Write little in this process: starting workers would take longer than the writing."""
    if job.engine.runner == engines.LOCAL and num_bytes < BYTES_WORTH_A_PROCESS:
        return replace(job.engine, workers=1)
    return job.engine.settle(min(crew.available(), num_shards))


def _is_done(job: Job, marker: str) -> bool:
    """Say whether a shard's marker and all its files are there; a marker alone is removed."""
    if not storage.exists(marker):
        return False
    try:
        files = json.loads(storage.read_bytes(marker))["files"]
        if all(_is_whole(job, file) for file in files):
            return True
    except (ValueError, KeyError, TypeError):
        job.reporter.say(f"{marker} is damaged: its shard is written again")
    storage.remove(marker)
    return False


def _is_whole(job: Job, file: dict[str, Any]) -> bool:
    """Compare a file's size, and its digest if asked to, with what its writer noted."""
    place = storage.join(job.settings.out, file["path"])
    if not storage.exists(place) or storage.info(place).size != file["bytes"]:
        return False
    return not job.verify or storage.sha256_of(place) == file["sha256"]
