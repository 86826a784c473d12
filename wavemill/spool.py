"""The spool: one Arrow file a unit and stage, whole or absent.

A *unit* is a stable group of recordings. Its name is a digest of its rows, and a stage's folder is
named by a digest of the stage's settings and of what it reads. So a file that is there is done,
whoever wrote it and when; nothing else has to be remembered to resume a job.
"""

import contextlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
import pyarrow.ipc

from wavemill import storage
from wavemill.digest import digest, digest_number
from wavemill.errors import JobError
from wavemill.records import Recording, recording_row, to_json

RECORDINGS = "recordings"
"""The folder of what ingest writes, the first stage."""
BATCH_ROWS = 1024
BATCH_BYTES = 16 << 20

MIN_UNIT = 8
MAX_UNIT = 128
MAX_ROWS_OF_A_FILE = 1024
"""Rows of one file stay together up to here; more would be held in memory at once."""
UNIT_ODDS = 32
"""A unit closes at one recording in so many, by the digest of its id; big ones close it sooner."""


def unit_url(spool: str, stage: str, unit: str) -> str:
    """Return the place of a unit's file."""
    return storage.join(spool, stage, f"{unit}.arrow")


def group_units(
    recordings: Iterable[Recording], max_bytes: int
) -> Iterator[tuple[str, list[Recording]]]:
    """Cut a stream of recordings into units; yield each with its name.

    Where a unit ends is decided by the ids around that place alone, so that a recording put in or
    taken out changes the unit it lies in and leaves the others as they are. Recordings of one
    file stay together, up to a number: their audio is decoded once.
    """
    unit: list[Recording] = []
    size = 0
    closing = False
    for recording in recordings:
        apart = unit and (recording.url != unit[-1].url or recording.member)
        if (closing and apart) or len(unit) >= MAX_ROWS_OF_A_FILE:
            yield _unit_name(unit), unit
            unit, size, closing = [], 0, False
        unit.append(recording)
        num_bytes = input_bytes(recording)
        size += num_bytes
        dice = digest_number(recording.id)
        # Where `max_bytes` alone closed units, one recording more would move all that follow.
        marked = dice % UNIT_ODDS == 0 or dice * max_bytes < 2**64 * num_bytes
        enough = len(unit) >= MIN_UNIT or 4 * size >= max_bytes
        closing = (marked and enough) or len(unit) >= MAX_UNIT or size >= max_bytes
    if unit:
        yield _unit_name(unit), unit


def input_bytes(recording: Recording) -> int:
    """Say how many bytes a recording's file or member has, as far as its version tells; else 0."""
    if recording.num_bytes is not None:
        return recording.num_bytes
    size = recording.version.split(":", 1)[0]
    return int(size) if size.isdigit() else 0


def _unit_name(unit: list[Recording]) -> str:
    return digest("\n".join(to_json(recording_row(recording)) for recording in unit), size=12)


class UnitWriter:
    """Writes rows into a unit's file, a record batch at a time."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        """Write to an open `pyarrow.ipc.RecordBatchFileWriter`."""
        self._writer = writer
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self._bytes = 0

    def add(self, row: Mapping[str, Any], num_bytes: int = 0) -> None:
        """Add a row that holds about `num_bytes` of data; absent fields are null."""
        self._rows.append(row)
        self._bytes += num_bytes
        if len(self._rows) >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._rows:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, schema=self._schema))
            self._rows, self._bytes = [], 0


@contextlib.contextmanager
def write_unit(url: str, schema: pa.Schema) -> Iterator[UnitWriter]:
    """Open a unit's file for writing; it appears whole when the block ends, or not at all."""
    with (
        storage.write_atomically(url) as file,
        pa.ipc.new_file(file, schema) as arrow,
    ):
        writer = UnitWriter(arrow, schema)
        yield writer
        writer.flush()


def _remedy(error: Exception) -> str:
    """Say what to do about a unit that cannot be read; only a damaged one is worth nothing."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{storage.remedy(error)}, and run the same command again"
    return "remove it and run the job again"


_Body = tuple[memoryview, list[int]]


class UnitReader:
    """Reads a unit's file: memory-mapped on a local disk, in one request on an object store."""

    def __init__(self, url: str) -> None:
        """Open the file.

        Raises:
            JobError: it is not there or not an Arrow file.

        """
        try:
            if storage.is_local(url):
                data: Any = pa.memory_map(storage.local_path(url)).read_buffer()
            else:
                data = storage.read_bytes(url)
            # Of a buffer: out of the map itself Arrow reads three times slower.
            self._file = pa.ipc.open_file(pa.BufferReader(data))
            numbers = range(self._file.num_record_batches)
            self._batches = [self._file.get_batch(number) for number in numbers]
        except (OSError, pa.ArrowInvalid) as error:
            raise JobError(f"cannot read {url} of the spool: {error}; {_remedy(error)}") from error
        self._starts = [*accumulate((batch.num_rows for batch in self._batches), initial=0)]
        self._bodies: dict[str, list[_Body]] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> list[Any]:
        """Return a whole column as Python values."""
        return [value for batch in self._batches for value in batch.column(name).to_pylist()]

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return a whole column of numbers; a null is NaN."""
        arrays = [batch.column(name).to_numpy(zero_copy_only=False) for batch in self._batches]
        whole: npt.NDArray[Any] = arrays[0] if len(arrays) == 1 else np.zeros(0)
        return np.concatenate(arrays) if len(arrays) > 1 else whole

    def row(self, index: int, names: Iterable[str]) -> dict[str, Any]:
        """Return some fields of one row."""
        batch, at = self._locate(index)
        return {name: batch.column(name)[at].as_py() for name in names}

    def sizes(self, name: str) -> npt.NDArray[np.int64]:
        """Return how many bytes each value of a binary column has; 0 where there is none."""
        columns = [batch.column(name) for batch in self._batches]
        sizes = [pa.compute.binary_length(column).fill_null(0).to_numpy() for column in columns]
        return np.concatenate([np.zeros(0, np.int64), *sizes])

    def buffer(self, name: str, index: int) -> memoryview:
        """Return one binary field without copying it."""
        if name not in self._bodies:
            self._bodies[name] = [_body(batch.column(name)) for batch in self._batches]
        which = bisect_right(self._starts, index) - 1
        data, offsets = self._bodies[name][which]
        at = index - self._starts[which]
        return data[offsets[at] : offsets[at + 1]]

    def table(self, names: Sequence[str]) -> pa.Table:
        """Return some columns, not copied."""
        return pa.Table.from_batches(self._batches, self._file.schema).select(names)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield whole rows, a batch in memory at a time."""
        for batch in self._batches:
            yield from batch.to_pylist()

    def _locate(self, index: int) -> tuple[Any, int]:
        which = bisect_right(self._starts, index) - 1
        return self._batches[which], index - self._starts[which]


def _body(column: pa.BinaryArray) -> _Body:
    """Return the bytes of a binary column and where each value begins and the last one ends."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32, len(column) + 1, 4 * column.offset)
    return memoryview(data or b""), places.tolist()
