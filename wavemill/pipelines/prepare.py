"""The main job: ingest, segment, tokenize, plan, write, publish.

Each step asks the spool what is there and makes the rest, so that a job killed at any moment goes
on where it stood, and ends with the same bytes.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import JobError, TooManyRejectedError
from wavemill.pipelines import engine as engines
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.lock import locked
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.publish import Finished, publish
from wavemill.pipelines.segmenters import make_segmenter
from wavemill.pipelines.settings import LAYOUT_VERSION, PrepareSettings
from wavemill.pipelines.stages import (
    RECORDINGS,
    SegmentUnit,
    TokenizeUnit,
    WriteShard,
    marker_url,
)
from wavemill.pipelines.survey import RejectRow, Survey, SurveyConfig, drop_copies, survey
from wavemill.records import RECORDING_SCHEMA, Recording, Reject, recording_row, to_json
from wavemill.sharding.dataset import NAME
from wavemill.sharding.plan import PlanConfig, ShardPlan, plan_shards
from wavemill.sharding.writer import ShardSources
from wavemill.spool import group_units, unit_url, write_unit
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.table import make_tokenizers

BYTES_WORTH_A_PROCESS = 1 << 30

PLAN_SCHEMA = pa.schema(
    [
        pa.field("bucket", pa.string()),
        pa.field("number", pa.int32()),
        pa.field("unit", pa.string()),
        pa.field("row", pa.int32()),
    ]
)


@dataclass(kw_only=True)
class Intake:
    """What came in."""

    units: list[str] = field(default_factory=list)
    recordings: int = 0
    stated_seconds: float = 0.0
    """The sum of the durations that rows state."""
    rejects: list[RejectRow] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Recordings in, the rejected ones too."""
        return self.recordings + len(self.rejects)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A `prepare` job, its settings checked and its tokenizers built."""

    settings: PrepareSettings
    engine: Engine
    facts: tuple[TokenizerFacts, ...]
    reporter: Reporter

    @property
    def spool(self) -> str:
        """The folder of all that is kept between runs."""
        return storage.join(self.settings.out, "_work")

    @property
    def token_stages(self) -> list[str]:
        """The spool folder of each token stream."""
        return [self.settings.tokens_stage(facts) for facts in self.facts]

    @property
    def stages(self) -> list[str]:
        """The spool folders that hold a file a unit once all is done."""
        return [self.settings.segments_stage, *self.token_stages]


def make_job(settings: PrepareSettings, engine: Engine, reporter: Reporter) -> Job:
    """Build what settings name, so that wrong ones stop the job before any work."""
    make_segmenter(settings.segmenter)
    facts = tuple(tokenizer.facts for tokenizer in make_tokenizers(settings.tokenizers))
    return Job(settings=settings, engine=engine, facts=facts, reporter=reporter)


def prepare(job: Job, *, clean: bool = False) -> dict[str, Any]:
    """Run a job to its end; return what `wavemill prepare --json` prints.

    Raises:
        TooManyRejectedError: more than `max_rejected` did not come through; nothing is published.
        JobError: a stage failed; the spool is kept.

    """
    started = time.monotonic()
    out = job.settings.out
    with locked(job.spool):
        storage.remove_partial(out)
        intake = ingest(job)
        reused = _run_units(job, intake.units)
        found, rejects = _take_stock(job, intake)
        _check_rejected(job, intake, found)
        content = _write(job, intake, found, rejects)
    if clean:
        storage.remove(job.spool)
    totals = content["totals"]
    return {
        "recordings": totals["recordings"],
        "segments": totals["samples"],
        "rejected": totals["rejected_recordings"],
        "hours": totals["hours"],
        "shards": totals["shards"],
        "reused_units": reused,
        "seconds": round(time.monotonic() - started, 3),
        "out": out,
    }


def dry_run(job: Job) -> dict[str, Any]:
    """Say what a job would do, and write nothing."""
    intake = Intake()
    intake.units += [unit for unit, _ in _units(job, intake)]
    missing = {stage: len(set(intake.units) - _finished(job, stage)) for stage in job.stages}
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


def ingest(job: Job) -> Intake:
    """Read the inputs into units of the spool; a unit that is there is left alone."""
    intake = Intake()
    with job.reporter.stage("ingest", None) as show:
        for unit, recordings in _units(job, intake):
            place = unit_url(job.spool, RECORDINGS, unit)
            if not storage.exists(place):
                with write_unit(place, RECORDING_SCHEMA) as file:
                    for recording in recordings:
                        file.add(recording_row(recording))
            intake.units.append(unit)
            show(intake.recordings)
        show(intake.recordings)
    if not intake.total:
        raise JobError(f"no audio in {', '.join(job.settings.inputs)}")
    return intake


def _units(job: Job, intake: Intake) -> Iterator[tuple[str, list[Recording]]]:
    kept = _keep_account(read_inputs(job.settings.inputs), intake)
    yield from group_units(kept, int(job.settings.unit_mb * 2**20))


def _keep_account(rows: Iterable[Recording | Reject], intake: Intake) -> Iterator[Recording]:
    for row in rows:
        if isinstance(row, Reject):
            intake.rejects.append({**vars(row), "recording": row.id})
        else:
            intake.recordings += 1
            intake.stated_seconds += row.window.duration_seconds or 0.0
            yield row


def _run_units(job: Job, units: Sequence[str]) -> int:
    """Segment and tokenize what is missing; return how many unit files were there already."""
    pending = {stage: set(units) - _finished(job, stage) for stage in job.stages}
    missing = sum(map(len, pending.values()))
    reused = len(units) * len(job.stages) - missing
    if missing:
        wanted = [unit for unit in units if any(unit in left for left in pending.values())]
        before = sum(len(_finished(job, stage)) for stage in job.stages)
        build = partial(_unit_pipeline, job=job, units=wanted, pending=pending)

        def count() -> int:
            return sum(len(_finished(job, stage)) for stage in job.stages) - before

        with job.reporter.counting("units", missing, count):
            engines.run(job.engine, build, "segmenting and tokenizing")
    if reused:
        job.reporter.say(f"units: {reused} were done before")
    return reused


def _unit_pipeline(
    pipeline: Any, *, job: Job, units: list[str], pending: dict[str, set[str]]
) -> None:
    settings = job.settings
    done = (
        pipeline
        | "units" >> beam.Create(units)
        | "spread" >> beam.Reshuffle()
        | "segment"
        >> beam.ParDo(
            SegmentUnit(job.spool, settings.segments_stage, settings.segmenter, settings.form)
        )
    )
    for stage, facts, spec in zip(job.token_stages, job.facts, settings.tokenizers, strict=True):
        if pending[stage]:
            done |= f"tokenize {facts.name}" >> beam.ParDo(
                TokenizeUnit(job.spool, settings.segments_stage, stage, spec)
            )


def _finished(job: Job, stage: str) -> set[str]:
    """List what a folder of the spool holds: file names without their suffix."""
    place = storage.join(job.spool, stage)
    if not storage.exists(place):
        return set()
    return {info.url.rsplit("/", 1)[-1].rsplit(".", 1)[0] for info in storage.list_files(place)}


def _take_stock(job: Job, intake: Intake) -> tuple[Survey, list[RejectRow]]:
    config = SurveyConfig(
        spool=job.spool,
        segments=job.settings.segments_stage,
        streams=tuple(
            (stage, facts.name) for stage, facts in zip(job.token_stages, job.facts, strict=True)
        ),
        with_audio=job.settings.audio != "none",
    )
    found = survey(intake.units, config)
    if job.settings.dedup:
        found = drop_copies(found, intake.units, config)
    return found, [*intake.rejects, *found.rejects]


def _check_rejected(job: Job, intake: Intake, found: Survey) -> None:
    """Stop the job where too much is bad: of the recordings, or of the segments."""
    lost = (found.lost_recordings + len(intake.rejects)) / intake.total
    segments = len(found.lengths) + found.rejected_segments
    share = max(lost, found.rejected_segments / max(segments, 1))
    rejects = [*intake.rejects, *found.rejects]
    report = storage.join(job.spool, "rejected.jsonl")
    storage.write_text(report, map(to_json, rejects))
    if share > job.settings.max_rejected:
        reasons = sorted({reject["reason"] for reject in rejects})
        raise TooManyRejectedError(
            f"{share:.1%} was rejected, more than --max-rejected {job.settings.max_rejected:g}"
            f" ({', '.join(reasons)}); see {report}. Mend the input, or allow more; what was"
            " done is kept"
        )
    if not len(found.lengths):
        raise JobError(f"nothing came through; see {report}")


def _write(job: Job, intake: Intake, found: Survey, rejects: list[RejectRow]) -> dict[str, Any]:
    settings = job.settings
    config = PlanConfig(
        num_buckets=settings.num_buckets,
        num_sub_buckets=settings.num_sub_buckets,
        shard_bytes=settings.shard_bytes,
        seed=settings.seed,
    )
    buckets, shards = plan_shards(found.lengths, config)
    name = digest([LAYOUT_VERSION, settings.data_json(), job.stages, intake.units], size=12)
    markers = storage.join(job.spool, f"shards-{name}")
    plan = storage.join(job.spool, f"plan-{name}.arrow")
    _make_room(job, name)
    if not storage.exists(plan):
        _write_plan(plan, shards, found, intake.units)
    places = [marker_url(markers, number) for number in range(len(shards))]
    _write_shards(job, plan, markers, places, found)
    finished = Finished(
        settings=settings,
        facts=job.facts,
        buckets=buckets,
        markers=places,
        survey=found,
        rejects=rejects,
        recordings=intake.total,
    )
    with job.reporter.stage("publish", 1):
        return publish(finished)


def _make_room(job: Job, plan: str) -> None:
    """Remove the shards of another plan, and first of all what makes them a dataset."""
    note = storage.join(job.spool, "plan.json")
    current = json.loads(storage.read_bytes(note))["plan"] if storage.exists(note) else None
    if current == plan:
        return
    out = job.settings.out
    storage.remove(storage.join(out, NAME))
    for url in storage.glob(storage.join(out, "bucket-*")):
        storage.remove(url)
    for url in storage.glob(storage.join(job.spool, "shards-*")):
        storage.remove(url)
    storage.write_text(note, [to_json({"plan": plan})])


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
    before = len(_finished(job, folder))
    with job.reporter.counting(
        "shards", len(pending), lambda: len(_finished(job, folder)) - before
    ):
        engines.run(_engine_for(job, int(found.lengths.num_bytes.sum())), build, "writing shards")


def _engine_for(job: Job, num_bytes: int) -> Engine:
    """Write little in this process: starting workers would take longer than the writing."""
    if job.engine.runner == engines.LOCAL and num_bytes < BYTES_WORTH_A_PROCESS:
        return replace(job.engine, workers=1)
    return job.engine


def _is_done(job: Job, marker: str) -> bool:
    """Say whether a shard's marker and all its files are there; a marker alone is removed."""
    if not storage.exists(marker):
        return False
    for file in json.loads(storage.read_bytes(marker))["files"]:
        place = storage.join(job.settings.out, file["path"])
        if not storage.exists(place) or storage.info(place).size != file["bytes"]:
            storage.remove(marker)
            return False
    return True


__all__ = ["Intake", "Job", "dry_run", "ingest", "make_job", "prepare"]
