"""Lengths from Parquet and Arrow IPC files (Feather): a batch of rows in memory at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from wavemill import storage
from wavemill.errors import JobError, RejectedError
from wavemill.pipelines.lengths.columns import Numbers, UnusualError, read_columns
from wavemill.pipelines.lengths.rows import read_row

PARQUET = (".parquet", ".pq")
IPC = (".arrow", ".feather", ".ipc")
BATCH_ROWS = 1 << 19
COLUMNS = ("id", "duration", "tokens")


def read_arrow(url: str, stream: str | None) -> Iterator[tuple[Any, Numbers, Numbers]]:
    """Yield the rows of a file, many at a time: ids (`large_string`), seconds and tokens.

    Raises:
        JobError: a row is not what it should be, or the file cannot be read; the message names the
            row, from 1.

    """
    first = 1
    for rows in _batches(url, COLUMNS):
        try:
            yield read_columns(rows, stream)
        except UnusualError:
            yield _read_slowly(rows, url, first, stream)
        first += rows.num_rows


def find_arrow(url: str, rows: npt.NDArray[np.bool_]) -> Iterator[tuple[str, str]]:
    """Yield where chosen rows of a file that was read lie, and their ids."""
    first = 0
    for batch in _batches(url, COLUMNS[:1]):
        for row in np.flatnonzero(rows[first : first + batch.num_rows]).tolist():
            yield f"row {first + row + 1}", str(batch.column(0)[row].as_py())
        first += batch.num_rows


def _batches(url: str, columns: tuple[str, ...]) -> Iterator[Any]:
    """Yield batches of rows that have those of the columns that the file has."""
    with _open(url) as file:
        if url.lower().endswith(PARQUET):
            table = pq.ParquetFile(file)
            names = [name for name in columns if name in table.schema_arrow.names]
            yield from table.iter_batches(BATCH_ROWS, columns=names)
            return
        reader = pa.ipc.open_file(file)
        names = [name for name in columns if name in reader.schema.names]
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number).select(names)


@contextmanager
def _open(url: str) -> Iterator[Any]:
    try:
        with storage.open_read(url) as file:
            yield file
    except pa.ArrowException as error:
        words = str(error).splitlines()[0]
        raise JobError(f"cannot read {url}: {words}; write it again") from error
    except OSError as error:
        raise JobError(f"cannot read {url}: {error}; check your access and run again") from error


def _read_slowly(
    rows: Any, url: str, first: int, stream: str | None
) -> tuple[Any, Numbers, Numbers]:
    ids, seconds, tokens = [], [], []
    for number, row in enumerate(rows.to_pylist(), first):
        try:
            name, duration, length = read_row(row, stream)
        except RejectedError as error:
            raise JobError(f"{url} row {number}: {error.detail}") from error
        ids.append(name)
        seconds.append(duration)
        tokens.append(length)
    return pa.array(ids, pa.large_string()), np.array(seconds), np.array(tokens, np.int64)
