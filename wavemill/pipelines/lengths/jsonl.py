"""Lengths from JSON lines: blocks through Arrow's parser, and line by line where it balks."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.json

from wavemill.errors import JobError, RejectedError
from wavemill.pipelines.ingest.lines import parse_object, read_blocks, read_lines
from wavemill.pipelines.lengths.columns import Numbers, UnusualError, read_columns
from wavemill.pipelines.lengths.rows import read_row

BLOCK_BYTES = 32 << 20
PARSE_BYTES = 4 << 20

Block = tuple[Any, Numbers, Numbers]
"""Ids (an array of `large_string`), seconds and tokens of some rows."""


def read_jsonl(url: str, stream: str | None) -> Iterator[Block]:
    """Yield the rows of a file, many at a time.

    Raises:
        JobError: a row is not what it should be, or the file cannot be read; the message names the
            line.

    """
    number = 1
    options: Any = None
    try:
        for block in read_blocks(url, BLOCK_BYTES):
            lines = block.count(b"\n") + (not block.endswith(b"\n"))
            options = options or _options(block)
            try:
                yield _read_block(block, lines, options, stream)
            except UnusualError:
                yield from _read_slowly(block, url, number, stream)
            number += lines
    except RejectedError as error:
        raise JobError(f"{url}: {error.detail}") from error


def find_jsonl(url: str, rows: npt.NDArray[np.bool_]) -> Iterator[tuple[str, str]]:
    """Yield where chosen rows of a file that was read lie, and their ids."""
    row = -1
    for number, line in read_lines(url):
        if line.strip():
            row += 1
            if rows[row]:
                yield f"line {number}", str(parse_object(line)["id"])


def _options(block: bytes) -> Any:
    """Tell the parser what to expect, judging by the first row."""
    try:
        row = json.loads(block.lstrip().split(b"\n", 1)[0])
        name, tokens = row["id"], row.get("tokens")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        name, tokens = "", 0
    fields = [("id", pa.int64() if isinstance(name, int) else pa.string()),
              ("duration", pa.float64())]  # fmt: skip
    if isinstance(tokens, dict):
        # Streams are not known beforehand.
        return pa.json.ParseOptions(pa.schema(fields), unexpected_field_behavior="infer")
    schema = pa.schema([*fields, ("tokens", pa.int64())])
    return pa.json.ParseOptions(schema, unexpected_field_behavior="ignore")


def _read_block(block: bytes, lines: int, options: Any, stream: str | None) -> Block:
    try:
        read = pa.json.ReadOptions(block_size=PARSE_BYTES)
        rows = pa.json.read_json(pa.BufferReader(block), read, options)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UnusualError from error
    if rows.num_rows != lines:  # blank lines, or rows that are no lines
        raise UnusualError
    return read_columns(rows, stream)


def _read_slowly(block: bytes, url: str, number: int, stream: str | None) -> Iterator[Block]:
    """Read the lines of a block one by one, the first of which has a number."""
    rows = []
    for line in block.split(b"\n"):
        if line.strip():
            try:
                rows.append(read_row(parse_object(line), stream))
            except RejectedError as error:
                raise JobError(f"{url} line {number}: {error.detail}") from error
        number += 1
    if rows:
        ids, seconds, tokens = zip(*rows, strict=True)
        yield pa.array(ids, pa.large_string()), np.array(seconds), np.array(tokens, np.int64)
