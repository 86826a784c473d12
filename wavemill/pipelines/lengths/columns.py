"""What a table of lengths may hold, many rows at a time: fast, says only whether all is well."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wavemill.pipelines.lengths.rows import MAX_SECONDS, MAX_TOKENS

Numbers = npt.NDArray[Any]


class UnusualError(Exception):
    """Some row needs a closer look."""


def read_columns(rows: Any, stream: str | None) -> tuple[Any, Numbers, Numbers]:
    """Take ids (an array of `large_string`), seconds and tokens out of a table or batch of rows.

    Raises:
        UnusualError: a value is missing or out of range, or a column is of another type.

    """
    try:
        ids = _column(rows, "id")
        if not (_is_text(ids.type) or pa.types.is_integer(ids.type)) or ids.null_count:
            raise UnusualError
        ids = ids.cast(pa.large_string())
        ids.validate(full=True)
        seconds = _numbers(_column(rows, "duration"), pa.float64())
        tokens = _tokens(_column(rows, "tokens"), stream)
    except (pa.ArrowException, KeyError, UnicodeDecodeError) as error:
        raise UnusualError from error
    if not ((seconds > 0) & (seconds <= MAX_SECONDS)).all():
        raise UnusualError
    if not ((tokens >= 0) & (tokens <= MAX_TOKENS)).all():
        raise UnusualError
    return ids, seconds, tokens


def _column(rows: Any, name: str) -> Any:
    if name not in rows.schema.names:
        return pa.nulls(rows.num_rows)
    column = rows.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(column: Any, kind: Any) -> Numbers:
    if column.null_count or not (
        pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    ):
        raise UnusualError
    return np.asarray(column.cast(kind).to_numpy(zero_copy_only=False))


def _tokens(column: Any, stream: str | None) -> Numbers:
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        if stream is None:
            streams = [_counts(part) for part in column.flatten()]
            return np.max(streams, axis=0) if streams else np.zeros(len(column), np.int64)
        part = column.flatten()[names.index(stream)] if stream in names else None
        if part is None or part.null_count:
            raise UnusualError
        return _counts(part)
    if stream is not None:
        raise UnusualError
    return _counts(column)


def _counts(column: Any) -> Numbers:
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise UnusualError
    return _numbers(pc.fill_null(column.cast(pa.int64()), 0), pa.int64())
