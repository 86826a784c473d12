"""Read datasets back into the spool, a shard a step of a Beam job: many at once, on any engine."""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from wavemill import storage
from wavemill.errors import DatasetError
from wavemill.pipelines.parts import Part
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.pipelines.restore import SpoolStages, unit_of
from wavemill.pipelines.retold import renamed
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.stages import Restored, RestoreShard
from wavemill.pipelines.unit_names import UnitNames
from wavemill.pipelines.watch import files_watch, watching
from wavemill.sharding.dataset import REJECTED, Dataset
from wavemill.sharding.lint.files import read_objects
from wavemill.sharding.lint.rejects import REJECT
from wavemill.sharding.schema import fault
from wavemill.tokenizers.base import TokenizerFacts


def read_back(
    job: SpoolJob,
    sources: Sequence[tuple[Dataset, str]],
    streams: Sequence[tuple[str, TokenizerFacts]] = (),
) -> list[Part]:
    """Make units of all shards of datasets, each with a prefix for its ids; return a part of each.

    Args:
        job: whose spool the units are for.
        sources: the datasets, and the prefix of each.
        streams: the spool folder and the facts of each token stream that is read back.

    Raises:
        DatasetError: a dataset's rejects are damaged.
        JobError: a shard is.

    """
    rejects = [_read_rejects(dataset, prefix) for dataset, prefix in sources]
    tasks = [tasks_of(dataset, prefix) for dataset, prefix in sources]
    target = SpoolStages(
        spool=job.spool,
        segments=job.settings.segments_stage,
        streams=tuple(streams),
    )
    every = {task.unit: task for part in tasks for task in part}
    done = [set(job.done(stage)) for stage in target.names]
    pending = [task for task in every.values() if not all(task.unit in found for found in done)]
    if pending:
        _run(job, target, pending)
    return [
        Part(
            inputs=tuple(dataset.content["inputs"]),
            joined=tuple(dataset.content.get("joined", ())),
            units=UnitNames(task.unit for task in own),
            recordings=dataset.content["totals"]["recordings"],
            rejects=rows,
        )
        for (dataset, _), own, rows in zip(sources, tasks, rejects, strict=True)
    ]


def tasks_of(dataset: Dataset, prefix: str) -> list[Restored]:
    """List the shards of a dataset with the units that they become."""
    shards = dataset.content["shards"]
    units = [unit_of(dataset, shard, prefix) for shard in shards]
    return [Restored(dataset.url, number, prefix, unit) for number, unit in enumerate(units)]


def _run(job: SpoolJob, target: SpoolStages, pending: Sequence[Restored]) -> None:
    def build(pipeline: Any) -> None:
        _ = (
            pipeline
            | "shards" >> beam.Create(pending)
            | "spread" >> beam.Reshuffle()
            | "read back" >> beam.ParDo(RestoreShard(target))
        )

    job.notes.begin("read back")
    look = files_watch(job, target.segments)  # a shard's last file
    with watching(job, "read back", len(pending), look):
        job.run(job.engine, build, "reading shards back")


def _read_rejects(dataset: Dataset, prefix: str) -> RejectRows:
    place = storage.join(dataset.url, REJECTED)
    rows = RejectRows()
    try:
        for row in read_objects(place, "surrogateescape"):
            if problem := fault(row, REJECT):
                raise ValueError(problem)  # noqa: TRY301
            names = {name: renamed(row[name], prefix) for name in ("id", "recording")}
            rows.add({**row, **names})
    except (OSError, ValueError) as error:
        raise DatasetError(f"{place} cannot be read: {error}; see `wavemill lint`") from error
    if len(rows) != sum(dataset.content["rejected"].values()):
        raise DatasetError(f"{place} is not what dataset.json states; see `wavemill lint`")
    return rows
