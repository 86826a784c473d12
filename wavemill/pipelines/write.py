"""The second half of the job: from what the spool holds to a published dataset."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import apache_beam as beam

from wavemill import storage
from wavemill.digest import digest
from wavemill.pipelines import crew, outdir
from wavemill.pipelines.blocks import Blocks, deal_out
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job
from wavemill.pipelines.lock import check_held
from wavemill.pipelines.plan_files import PlanFiles, Shard, marker_url
from wavemill.pipelines.publish import Finished, publish
from wavemill.pipelines.settings import LAYOUT_VERSION
from wavemill.pipelines.stages import WriteShard
from wavemill.pipelines.stock import Stock
from wavemill.pipelines.survey import Survey
from wavemill.pipelines.unit_names import digest_of
from wavemill.pipelines.watch import files_watch, watching
from wavemill.sharding import layout
from wavemill.sharding.plan import PlanConfig, plan_shards
from wavemill.sharding.writer import ShardSources

BYTES_WORTH_A_PROCESS = 1 << 30
MOST_RUNS = 1000
"""Of shards to write that a pipeline names; of more, all shards are named in one."""


def write_dataset(job: Job, stock: Stock) -> dict[str, Any]:
    """Plan the shards, write those that are missing, and publish.

    Args:
        job: what to do.
        stock: what the spool holds.

    Returns:
        The content of `dataset.json` without its shards.

    """
    job.notes.begin("plan")
    settings, found, units = job.settings, stock.found, stock.units
    config = PlanConfig(
        num_buckets=settings.num_buckets,
        num_sub_buckets=settings.num_sub_buckets,
        shard_bytes=settings.shard_bytes,
        seed=settings.seed,
    )
    what = [LAYOUT_VERSION, settings.data_json(), job.stages, digest_of(units)]
    name = digest(what, size=12)
    streams = [
        name for facts in job.facts for name in layout.stream_names(facts.name, facts.frame_rate)
    ]
    note = {"plan": name, "streams": streams, "audio": settings.audio != "none"}
    check_held(job.spool)
    outdir.make_room(settings.out, job.spool, note)
    plan = outdir.plan_files(job.spool, name)
    buckets, shards = plan_shards(found.lengths, config)
    if not plan.exists():
        plan.write(shards, units)
    listed = plan.shards()
    markers = storage.join(job.spool, f"shards-{name}")
    job.notes.begin("write")
    _write_shards(job, plan, markers, listed, found)
    job.notes.begin("publish")
    outdir.clear_partial(settings.out)  # workers may have been killed and replaced
    finished = Finished(
        settings=settings,
        facts=job.facts,
        buckets=buckets,
        markers=[marker_url(markers, number) for number in range(len(listed))],
        stock=stock,
        spool=job.spool,
        notes=job.notes,
    )
    with job.reporter.stage("publish", 1):
        return publish(finished)


def _write_shards(
    job: Job, plan: PlanFiles, markers: str, listed: Sequence[Shard], found: Survey
) -> None:
    done = _done(job, markers, listed)
    count = len(listed) - sum(done)
    if not count:
        job.reporter.say(f"shards: {len(listed)} were done before")
        return
    sources = ShardSources(
        spool=job.spool,
        segments=job.settings.segments_stage,
        streams=job.streams,
        audio=job.settings.audio,
    )
    runs = [Blocks(*run) for run in runs_of_zeros(done)]
    if len(runs) > MOST_RUNS:  # what is done is passed over
        runs = [Blocks(0, len(done))]

    def build(pipeline: Any) -> None:
        step = WriteShard(plan, markers, sources, job.settings.out)
        blocks = deal_out(pipeline, runs, job.spool)
        _ = blocks | "shards" >> beam.FlatMap(lambda at: range(*at)) | "write" >> beam.ParDo(step)

    folder = markers.rsplit("/", 1)[-1]
    with watching(job, "shards", count, files_watch(job, folder)):
        engine = _engine_for(job, int(found.lengths.num_bytes.sum()), count)
        job.run(engine, build, "writing shards")


def runs_of_zeros(flags: bytearray) -> list[tuple[int, int]]:
    """Return where each run of zeros begins and ends."""
    runs = []
    for flag, run in groupby(range(len(flags)), key=flags.__getitem__):
        if not flag:
            first, *others = run
            runs.append((first, (others or [first])[-1] + 1))
    return runs


def _engine_for(job: Job, num_bytes: int, num_shards: int) -> Engine:
    """Write little in this process: starting workers would take longer than the writing."""
    if job.engine.is_local and num_bytes < BYTES_WORTH_A_PROCESS:
        return replace(job.engine, workers=1)
    return job.engine.settle(min(crew.available(), num_shards))


def _done(job: Job, markers: str, listed: Sequence[Shard]) -> bytearray:
    """Say of each shard whether its marker and all its files are there, 1 or 0.

    A marker without its files is removed. Local files are looked up a folder at a time; a store is
    asked for each, many at once, as its listings may name what was removed.
    """
    done = bytearray(len(listed))
    marked = {int(name) for name in job.finished(markers.rsplit("/", 1)[-1]) if name.isdigit()}
    for bucket, group in groupby(sorted(marked), key=lambda number: listed[number][0]):
        sizes = _sizes(job, bucket)
        for number in group:
            done[number] = _is_done(job, marker_url(markers, number), sizes)
    return done


def _sizes(job: Job, bucket: str) -> dict[str, int]:
    """Return the sizes of a bucket's local files by their paths in the dataset."""
    if not storage.is_local(job.settings.out):
        return {}
    folder = storage.join(job.settings.out, bucket)
    try:
        files = list(storage.list_files(folder))
    except FileNotFoundError:
        return {}
    return {f"{bucket}{file.url[len(folder) :]}": file.size for file in files}


def _is_done(job: Job, marker: str, sizes: dict[str, int]) -> bool:
    """Say whether a marker is whole and all its files are there; else it is removed."""
    try:
        files = json.loads(storage.read_bytes(marker))["files"]
        if not storage.is_local(job.settings.out):
            paths = [file["path"] for file in files]
            found = storage.sizes([storage.join(job.settings.out, path) for path in paths])
            sizes = {
                path: size for path, size in zip(paths, found, strict=True) if size is not None
            }
        if all(_is_whole(job, file, sizes) for file in files):
            return True
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError):
        job.reporter.say(f"{marker} is damaged: its shard is written again")
    storage.remove(marker)
    return False


def _is_whole(job: Job, file: dict[str, Any], sizes: dict[str, int]) -> bool:
    """Compare a file's size, and its digest if asked to, with what its writer noted."""
    if sizes.get(file["path"]) != file["bytes"]:
        return False
    place = storage.join(job.settings.out, file["path"])
    return not job.verify or storage.sha256_of(place) == file["sha256"]
