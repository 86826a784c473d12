"""The plan in the spool: files of shards' members, and a list of the shards that is written last.

A worker reads the members of one shard, out of a file that holds so few that finding them is cheap.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from wavemill import storage
from wavemill.columns import Array
from wavemill.errors import JobError
from wavemill.pipelines.unit_names import as_names
from wavemill.sharding.plan import ShardPlan
from wavemill.sharding.writer import ShardTask

SHARDS_A_FILE = 64
_LIST = "shards.arrow"
_SHARDS = pa.schema([pa.field("bucket", pa.string()), pa.field("number", pa.int32())])
_MEMBERS = pa.schema(
    [
        *_SHARDS,
        pa.field("unit", pa.list_(pa.string())),
        pa.field("row", pa.list_(pa.int32())),
    ]
)
"""A row and a record batch a shard."""

Shard = tuple[str, int]
"""A bucket, and a shard's number there."""


def marker_url(markers: str, number: int) -> str:
    """Return the place of the file that says that a shard is done, and what it holds."""
    return storage.join(markers, f"{number:07d}.json")


@dataclass(frozen=True)
class PlanFiles:
    """A plan's folder."""

    url: str

    def exists(self) -> bool:
        """Say whether the whole plan is there."""
        return storage.is_file(self._list)

    def write(self, shards: Iterable[ShardPlan], units: Sequence[str]) -> None:
        """Write the plan, a shard in memory at a time."""
        names = as_names(units).array()
        listed: list[Shard] = []
        numbered = enumerate(shards)
        for file_number, group in groupby(numbered, key=lambda pair: pair[0] // SHARDS_A_FILE):
            with _new_file(self._file(file_number), _MEMBERS) as file:
                for _, shard in group:
                    file.write_batch(_batch(shard, names[shard.unit]))
                    listed.append((shard.bucket, shard.number))
        with _new_file(self._list, _SHARDS) as file:
            columns = [[bucket for bucket, _ in listed], [number for _, number in listed]]
            file.write_batch(pa.record_batch(columns, schema=_SHARDS))

    def shards(self) -> list[Shard]:
        """List the shards in their order.

        Raises:
            JobError: the plan is damaged.

        """
        with _open_file(self._list) as file:
            table = file.read_all()
        buckets, numbers = (column.to_pylist() for column in table.columns)
        return list(zip(buckets, numbers, strict=True))

    def task(self, number: int) -> ShardTask:
        """Read one shard's members, by its place in the list.

        Raises:
            JobError: the plan is damaged.

        """
        with _open_file(self._file(number // SHARDS_A_FILE)) as file:
            row = file.get_batch(number % SHARDS_A_FILE).to_pylist()[0]
        members = list(zip(row["unit"], row["row"], strict=True))
        return ShardTask(bucket=row["bucket"], number=row["number"], members=members)

    @property
    def _list(self) -> str:
        return storage.join(self.url, _LIST)

    def _file(self, number: int) -> str:
        return storage.join(self.url, f"{number:06d}.arrow")


def _batch(shard: ShardPlan, units: Array) -> pa.RecordBatch:
    lists = [
        pa.ListArray.from_arrays([0, len(values)], pa.array(values, kind))
        for values, kind in ((units.astype(str), pa.string()), (shard.row, pa.int32()))
    ]
    about = [pa.array([shard.bucket]), pa.array([shard.number], pa.int32())]
    return pa.record_batch([*about, *lists], schema=_MEMBERS)


@contextlib.contextmanager
def _new_file(url: str, schema: pa.Schema) -> Iterator[Any]:
    with storage.write_atomically(url) as file, pa.ipc.new_file(file, schema) as arrow:
        yield arrow


@contextlib.contextmanager
def _open_file(url: str) -> Iterator[Any]:
    try:
        with storage.open_read(url) as file, pa.ipc.open_file(pa.PythonFile(file, "r")) as arrow:
            yield arrow
    except (OSError, pa.ArrowInvalid) as error:
        raise JobError(f"cannot read {url} of the spool: {error}; remove its folder") from error
