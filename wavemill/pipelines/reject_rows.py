"""Lines of JSON that are kept on the local disk until they are published, as those of rejects."""

import json
import os
from collections.abc import Iterable, Iterator

from wavemill.columns import temporary_file
from wavemill.records import to_json

RejectRow = dict[str, str]
"""A row of `rejected.jsonl`: id, recording, stage, reason, detail, source."""

_READ_BYTES = 1 << 20


class Lines:
    """Lines in the order in which they were added; read as often as wanted, a few in memory.

    The file has no name: nothing is left of it however the process ends.
    """

    def __init__(self) -> None:
        """Begin without lines."""
        self._file = temporary_file(self)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        self._file.flush()
        offset, rest = 0, b""
        while block := os.pread(self._file.fileno(), _READ_BYTES, offset):
            offset += len(block)
            *whole, rest = (rest + block).split(b"\n")
            yield from (line.decode("utf-8", "surrogateescape") for line in whole)

    def add(self, line: str) -> None:
        """Add a line, without its end."""
        self._file.write(line.encode("utf-8", "surrogateescape") + b"\n")
        self._count += 1


class RejectRows:
    """Rows of rejects, which may be as many as a corpus has."""

    def __init__(self, rows: Iterable[RejectRow] = ()) -> None:
        """Begin with some rows."""
        self._lines = Lines()
        self.extend(rows)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[RejectRow]:
        return map(json.loads, self._lines)

    def add(self, row: RejectRow) -> None:
        """Add a row."""
        self._lines.add(to_json(row))

    def add_line(self, line: str) -> None:
        """Add a row as `to_json` writes it."""
        self._lines.add(line)

    def extend(self, rows: Iterable[RejectRow]) -> None:
        """Add rows."""
        for row in rows:
            self.add(row)

    def lines(self) -> Iterator[str]:
        """Yield the rows as JSON, as they are written."""
        return iter(self._lines)
