"""CSV, TSV and Parquet tables: a header names the columns, which are called as in NeMo rows."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wavemill import storage
from wavemill.errors import JobError, RejectedError, UsageError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.lines import read_lines
from wavemill.pipelines.ingest.row import ALIASES, Manifest, Row, row_of_fields
from wavemill.pipelines.ingest.seen import Ledger, Source
from wavemill.records import INVALID_ROW, TRUNCATED

MAX_ROW = 1 << 20
"""Characters: where a quote is never closed, the search for the end of the row stops here."""

BATCH_ROWS = 1024


class _Lines:
    """Hands lines to the csv reader, remembers those of the row under way, takes them back."""

    def __init__(self, url: str) -> None:
        self._lines = read_lines(url)
        self._again: deque[tuple[int, str]] = deque()
        self.row: list[tuple[int, str]] = []
        self._held = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._held > MAX_ROW:
            raise csv.Error("a quote is never closed")
        if self._again:
            line = self._again.popleft()
        else:
            number, raw = next(self._lines)
            line = number, raw.decode("utf-8", "surrogateescape")
        self.row.append(line)
        self._held += len(line[1])
        return line[1]

    def begin(self) -> None:
        """Start a row."""
        self.row, self._held = [], 0

    def retry(self) -> None:
        """Give all lines back but the first, which began a row that cannot be read."""
        self._again.extendleft(reversed(self.row[1:]))


def read_cells(url: str) -> Iterator[tuple[int, list[str] | RejectedError]]:
    """Yield the cells of each row, as many as the first has, with the number of its first line.

    A row that breaks the rules of quoting costs one line, not those that its open quote swallows.
    Blank lines are none.
    """
    lines = _Lines(url)
    delimiter = "\t" if places.suffix_of(url).startswith("tsv") else ","
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number, width = 0, None
    while True:
        lines.begin()
        try:
            cells = next(reader)
            if not cells:
                continue
            number = lines.row[0][0]
            width = _check_width(cells, width)
            yield number, cells
        except StopIteration:
            return
        except csv.Error as error:
            number, line = lines.row[0]
            lines.retry()
            cells = line.rstrip("\r\n").split(delimiter)
            if delimiter == "\t" and len(cells) == width:
                yield number, cells  # many TSV writers never quote, and a text may begin with one
            elif line.strip():
                yield number, RejectedError(INVALID_ROW, f"{error}; correct its cells or quotes")
        except RejectedError as error:
            yield number + 1, error
            return


def _check_width(cells: list[str], width: int | None) -> int:
    if width is not None and len(cells) != width:
        raise csv.Error(f"{len(cells)} cells, expected {width} as in the header")
    return len(cells)


def read_table(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield one row a row of a CSV or TSV file."""
    del ledger
    manifest = Manifest(source.url)
    folder = manifest.folder
    rows = read_cells(source.url)
    try:
        names = _names(rows)
    except RejectedError as error:
        yield Row(manifest.reject(1, error.reason, error.detail))
        return
    for number, cells in rows:
        if isinstance(cells, RejectedError):
            yield Row(manifest.reject(number, cells.reason, cells.detail))
        elif not all(map(_is_text, cells)):
            words = "not UTF-8; save the table as UTF-8"
            yield Row(manifest.reject(number, INVALID_ROW, words))
        else:
            fields = {name: cell for name, cell in zip(names, cells, strict=True) if cell and name}
            yield row_of_fields(_with_numbers(fields), manifest, number, folder)


def _names(rows: Iterator[tuple[int, list[str] | RejectedError]]) -> list[str]:
    """Take the header off the rows.

    Raises:
        RejectedError: it cannot be read.

    """
    _, header = next(rows, (0, []))
    if isinstance(header, RejectedError):
        raise header
    return [name.strip() for name in header]


def _is_text(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= character <= "\udfff" for character in cell)


def _with_numbers(fields: dict[str, Any]) -> dict[str, Any]:
    for name in (*ALIASES["offset"], *ALIASES["duration"]):
        if name in fields:
            try:
                fields[name] = float(fields[name])
            except ValueError:
                continue  # the row is rejected for it, with the text in the message
    return fields


def read_parquet(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield one row a row of a Parquet file.

    Raises:
        JobError: the disk or store fails.

    """
    del ledger
    manifest = Manifest(source.url, unit="row")
    folder = manifest.folder
    number = 0
    try:
        with storage.open_read(source.url) as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=BATCH_ROWS):
                for row in _rows(batch):
                    number += 1
                    if isinstance(row, RejectedError):
                        yield Row(manifest.reject(number, row.reason, row.detail))
                    else:
                        yield row_of_fields(_filled(row), manifest, number, folder)
    except (pa.ArrowException, OSError, ValueError) as error:
        if getattr(error, "errno", None):  # from the system, not from Arrow's decoders
            words = f"cannot read {source.url}: {error}; check your access and run again"
            raise JobError(words) from error
        words = f"the file is damaged: {error}"
        yield Row(manifest.reject(number + 1, TRUNCATED, words))


def _rows(batch: pa.RecordBatch) -> Iterable[dict[str, Any] | RejectedError]:
    try:
        return _values(batch)
    except (ValueError, ArithmeticError, LookupError):  # of one value, perhaps
        return [_row(batch.slice(index, 1)) for index in range(batch.num_rows)]


def _row(batch: pa.RecordBatch) -> dict[str, Any] | RejectedError:
    try:
        return _values(batch)[0]
    except (ValueError, ArithmeticError, LookupError) as error:
        return RejectedError(INVALID_ROW, f"a value cannot be read: {error}; store it as text")


def _values(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return a batch's rows, dates and times as text: Python's own hold fewer of them."""
    columns = [
        column.cast(pa.string()) if pa.types.is_temporal(column.type) else column
        for column in batch.columns
    ]
    rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(columns, batch.schema.names).to_pylist()
    return rows


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave empty fields out, and take decimals for numbers too."""
    return {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
        if value not in (None, "")
    }


def check_table(url: str) -> None:
    """Check that a table has a column of paths.

    Raises:
        UsageError: it has none, or two columns of one name, or it holds the audio itself.
        RejectedError: it cannot be read.

    """
    is_parquet = places.suffix_of(url) == "parquet"
    names = _parquet_columns(url) if is_parquet else _names(read_cells(url))
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UsageError(f"{url}: two columns are called {twice[0]!r}; rename one of them")
    if not set(ALIASES["path"]) & set(names):
        raise UsageError(
            f"{url}: no column of audio paths among {', '.join(names[:12]) or 'its columns'};"
            f" the first row has to name one {' or '.join(ALIASES['path'])}"
        )


def _parquet_columns(url: str) -> list[str]:
    try:
        with storage.open_read(url) as file:
            schema = pq.read_schema(file)
    except pa.ArrowException as error:
        raise RejectedError(TRUNCATED, f"not a Parquet file ({error}); write it again") from error
    for field in schema:
        if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            raise UsageError(
                f"{url}: column {field.name!r} holds the audio itself; export it to files"
                " with a column of their paths"
            )
    return list(schema.names)
