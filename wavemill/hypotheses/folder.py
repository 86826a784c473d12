"""A folder of hypotheses: what `wavemill hypotheses` writes, and what is read from it.

DIR/
  hypotheses.json         recognizer, settings, digests, totals, parts; written last
  part-00000.parquet      utterances (`UTTERANCE_SCHEMA`)
  corrections/NAME.parquet, NAME.json    what was made of them, and by what
  README.md               the card
  rejected.jsonl          what did not come through
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.records import (
    CORRECTION_SCHEMA,
    UTTERANCE_SCHEMA,
    Correction,
    Utterance,
    correction_from_row,
    correction_row,
    utterance_from_row,
    utterance_row,
)

FORMAT = 1
FACTS = "hypotheses.json"
CORRECTIONS = "corrections"
AT_ONCE = 4096
"""Rows that are in memory at a time."""


def part_name(number: int) -> str:
    """Name a part."""
    return f"part-{number:05d}.parquet"


def is_folder(url: str) -> bool:
    """Say whether a place is a folder of hypotheses of a format known here."""
    try:
        return bool(json.loads(storage.read_bytes(storage.join(url, FACTS)))["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def named_after(model: str) -> str:
    """Name corrections after a model's folder, file or URL: its last part, as a file may be."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", model.rstrip("/").rpartition("/")[2])


def write_rows(url: str, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a Parquet file, atomically; the same rows give the same bytes.

    Returns:
        How many rows there were.

    """
    count, waiting = 0, []
    with (
        storage.write_atomically(url) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for row in rows:
            waiting.append(row)
            count += 1
            if len(waiting) == AT_ONCE:
                writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
                waiting.clear()
        writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
    return count


def write_part(url: str, utterances: Iterable[Utterance]) -> int:
    """Write utterances, and return how many."""
    return write_rows(url, UTTERANCE_SCHEMA, map(utterance_row, utterances))


def _read_rows(url: str, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    try:
        with storage.open_read(url) as file:
            table = pq.ParquetFile(file)
            if not table.schema_arrow.equals(schema):
                raise DatasetError(f"{url} has other columns than {', '.join(schema.names)}")
            for batch in table.iter_batches(AT_ONCE):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise DatasetError(f"{url} is damaged: {error}") from error


@dataclass(frozen=True, kw_only=True)
class HypothesesFolder:
    """One that is whole."""

    url: str
    content: Mapping[str, Any]
    """Of `hypotheses.json`."""

    @classmethod
    def open(cls, url: str) -> "HypothesesFolder":
        """Read what it says of itself.

        Raises:
            DatasetError: it is no such folder, is not finished, or of a format not known here.

        """
        facts = storage.join(url, FACTS)
        if not storage.exists(facts):
            raise DatasetError(
                f"{url} holds no {FACTS}: it is no folder of hypotheses, or its job did not end;"
                " run `wavemill hypotheses` again"
            )
        try:
            content = json.loads(storage.read_bytes(facts))
            known = content["format"] == FORMAT
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{facts} is damaged: {error}") from error
        if not known:
            raise DatasetError(f"{facts} has format {content['format']}; known here is {FORMAT}")
        return cls(url=url, content=content)

    @cached_property
    def digest(self) -> str:
        """Digest its utterances, and what it says of them."""
        parts = [storage.sha256_of(self._part(part)) for part in self.content["parts"]]
        return digest([self.content, parts])

    def utterances(self, *splits: str) -> Iterator[Utterance]:
        """Yield the utterances of some splits, or of all, in their order.

        Raises:
            DatasetError: a part is damaged.

        """
        for part in self.content["parts"]:
            for row in _read_rows(self._part(part), UTTERANCE_SCHEMA):
                if not splits or row["split"] in splits:
                    yield utterance_from_row(row)

    def corrections(self) -> list[str]:
        """Return the names of what was made of the hypotheses, sorted."""
        names = storage.list_names(storage.join(self.url, CORRECTIONS))
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def read_corrections(self, name: str) -> Iterator[Correction]:
        """Yield corrections in the order of their utterances.

        Raises:
            DatasetError: they are damaged.

        """
        for row in _read_rows(self._of(name, "parquet"), CORRECTION_SCHEMA):
            yield correction_from_row(row)

    def correction_facts(self, name: str) -> Mapping[str, Any]:
        """Return what made corrections, as it was noted with them."""
        return dict(json.loads(storage.read_bytes(self._of(name, "json"))))

    def write_corrections(
        self, name: str, corrections: Iterable[Correction], facts: Mapping[str, Any]
    ) -> int:
        """Write what was made of the hypotheses, then by what.

        Args:
            name: of letters, digits, `-` and `_`; one that is there is replaced.
            corrections: in the order of their utterances.
            facts: for people and programs: `kind` (`correction` or `rescoring`), model, prompt.

        Returns:
            How many there were.

        Raises:
            UsageError: the name cannot be that of a file.

        """
        if not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{name!r} cannot name corrections: use letters, digits, - and _")
        storage.make_folder(storage.join(self.url, CORRECTIONS))
        storage.remove(self._of(name, "json"))
        rows = map(correction_row, corrections)
        count = write_rows(self._of(name, "parquet"), CORRECTION_SCHEMA, rows)
        storage.write_text(self._of(name, "json"), [json.dumps(facts, indent=1, sort_keys=True)])
        return count

    def _part(self, part: Mapping[str, Any]) -> str:
        return storage.join(self.url, part["name"])

    def _of(self, name: str, kind: str) -> str:
        return storage.join(self.url, CORRECTIONS, f"{name}.{kind}")
