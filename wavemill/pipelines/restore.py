"""Read a dataset back into a spool: each shard becomes a unit, as if it had just been made.

Nothing is decoded or tokenized again: audio, ids and times are copied as they lie in the tars, and
what is said of a sample comes from its cut and its NeMo row. Every file is held against the digest
that `dataset.json` states, so that no damage goes from one dataset into another.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from wavemill import storage
from wavemill.digest import digest, digest_number
from wavemill.errors import DatasetError
from wavemill.pipelines.measures import count_characters
from wavemill.pipelines.retold import custom_of, recordings_of, renamed
from wavemill.records import (
    RECORDING_SCHEMA,
    SEGMENT_SCHEMA,
    TOKEN_SCHEMA,
    Recording,
    recording_row,
    to_json,
)
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint.arrays import read_codes, times_problem
from wavemill.sharding.lint.files import parse_object, shard_name, stated_streams
from wavemill.sharding.lint.report import Report
from wavemill.sharding.lint.rows import row_of
from wavemill.sharding.lint.samples import ShardCheck
from wavemill.sharding.untar import NO_MEMBER, read_members
from wavemill.spool import RECORDINGS, unit_url, write_unit
from wavemill.tokenizers.base import TokenizerFacts

VERSION = 1
"""Goes up when the same shard would give another unit."""

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SpoolStages:
    """Where units go."""

    spool: str
    segments: str
    streams: tuple[tuple[str, TokenizerFacts], ...]
    """The stage and the facts of each token stream; others are left out."""

    @property
    def names(self) -> list[str]:
        """The folders that hold a file a unit."""
        return [RECORDINGS, *(stage for stage, _ in self.streams), self.segments]


def unit_of(dataset: Dataset, shard: Mapping[str, Any], prefix: str) -> str:
    """Name the unit that a shard becomes, by all that it holds."""
    held = [file["sha256"] for file in shard["files"]]
    return digest([VERSION, prefix, dataset.content["settings"]["audio"], held], size=12)


def restore_shard(
    dataset: Dataset, shard: Mapping[str, Any], target: SpoolStages, prefix: str = ""
) -> None:
    """Write a shard's unit, each file of it whole or not at all; one that is there is left alone.

    Raises:
        DatasetError: the shard is not what was written; the message names it, and the sample.

    """
    try:
        _Shard(dataset, shard, prefix).restore(target)
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise DatasetError(_explain(dataset, shard, error)) from error


def read_recordings(dataset: Dataset) -> Iterator[Recording]:
    """Yield what a dataset's cuts tell of its recordings; one may come again from another shard.

    Raises:
        DatasetError: a shard's cuts are not what was written.

    """
    for shard in dataset.content["shards"]:
        try:
            yield from recordings_of(_Shard(dataset, shard, "").read_rows())
        except (OSError, ValueError, KeyError, RecursionError) as error:
            raise DatasetError(_explain(dataset, shard, error)) from error


class _Shard:
    """One shard that is read back."""

    def __init__(self, dataset: Dataset, shard: Mapping[str, Any], prefix: str) -> None:
        self._dataset, self._shard, self._prefix = dataset, shard, prefix
        self._number = shard["number"]
        self._audio = dataset.content["settings"]["audio"]
        self._files = {file["path"]: file for file in shard["files"]}

    def restore(self, target: SpoolStages) -> None:
        unit = unit_of(self._dataset, self._shard, self._prefix)
        places = {stage: unit_url(target.spool, stage, unit) for stage in target.names}
        if all(map(storage.is_file, places.values())):
            return
        rows = self.read_rows()
        with write_unit(places[RECORDINGS], RECORDING_SCHEMA) as file:
            for recording in recordings_of(rows):
                file.add(recording_row(recording))
        for stage, facts in target.streams:
            with write_unit(places[stage], TOKEN_SCHEMA) as file:
                for row in self._tokens(rows, facts):
                    file.add(row, len(row["npy"]) + len(row["times"] or b""))
        with write_unit(places[target.segments], SEGMENT_SCHEMA) as file:
            for row in self._segments(rows):
                file.add(row, row["num_audio_bytes"])

    def read_rows(self) -> list[Row]:
        """Read the rows of which the cuts and the NeMo manifest were written.

        `key` is what the sample is called in the shard.
        """
        cuts = self._read_lines(layout.cuts_name(self._number))
        lines: Sequence[Mapping[str, Any]] = [{}] * len(cuts)
        if self._audio != "none":
            lines = self._read_lines(layout.manifest_name(self._number))
        streams = stated_streams(self._dataset.content)
        rows = []
        for cut, line in zip(cuts, lines, strict=True):
            row = row_of(cut)
            if isinstance(row, str):
                raise ValueError(f"the cut {cut.get('id')!r} is no sample's: {row}")  # noqa: TRY004
            if self._audio != "none":
                row["custom"] = custom_of(row["custom"], line, streams)
            row["key"] = row["id"]
            for name in ("id", "recording_id"):
                row[name] = renamed(row[name], self._prefix)
            rows.append(row)
        if len(rows) != self._shard["samples"]:
            raise ValueError(f"it holds {len(rows)} cuts, not {self._shard['samples']}")
        return rows

    def _segments(self, rows: list[Row]) -> Iterator[Row]:
        audio: Iterable[bytes | None] = [None] * len(rows)
        if self._audio != "none":
            audio = self._members("audio", self._audio, rows)
        for row, data in zip(rows, audio, strict=True):
            plain = {name: value for name, value in row.items() if name != "key"}
            yield {
                **plain,
                "custom": to_json(row["custom"]),
                "num_characters": count_characters(row["text"]),
                "num_audio_bytes": len(data or b""),
                "audio_digest": None if data is None else digest_number(data),
                "audio": data,
            }

    def _tokens(self, rows: list[Row], facts: TokenizerFacts) -> Iterator[Row]:
        arrays = self._members(facts.name, "npy", rows)
        timed = layout.times_of(facts.name, facts.frame_rate)
        times: Iterable[bytes | None] = [None] * len(rows)
        if timed is not None:
            times = self._members(timed, "npy", rows)
        for row, npy, spans in zip(rows, arrays, times, strict=True):
            codes = read_codes(npy, facts)
            problem = codes if isinstance(codes, str) else None
            if spans is not None and problem is None:
                seconds = row["num_samples"] / row["sample_rate"]
                problem = times_problem(spans, len(codes), seconds)
            if problem:
                raise ValueError(f"{row['key']}: {facts.name}: {problem}")
            yield {"num_tokens": len(codes), "npy": npy, "times": spans}

    def _members(self, stream: str, extension: str, rows: list[Row]) -> Iterator[bytes]:
        """Yield the data of a tar's samples, one in memory at a time."""
        name = layout.tar_name(stream, self._number)
        with self._open(name) as file:
            members = read_members(file, self._stated(name)["bytes"])
            for row in rows:
                data, about = next(members, NO_MEMBER), next(members, NO_MEMBER)
                expected = [f"{row['key']}.{extension}", f"{row['key']}.json"]
                if [data.name, about.name] != expected:
                    words = f"{row['key']}: {name} holds {data.name}, {about.name} in its place"
                    raise ValueError(words)
                yield data.data
            if next(members, NO_MEMBER) is not NO_MEMBER:
                raise ValueError(f"{name} holds more samples than there are cuts")

    def _read_lines(self, name: str) -> list[dict[str, Any]]:
        with self._open(name) as file:
            lines = file.read().splitlines(keepends=True)
        return [parse_object(line, f"line {number}") for number, line in enumerate(lines, 1)]

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file that is read to its end; fail if it was not what `dataset.json` states."""
        stated = self._stated(name)
        with storage.open_read(storage.join(self._dataset.url, stated["path"])) as file:
            reader = _Hashing(file)
            yield cast("BinaryIO", reader)
            reader.read()
        if reader.sha256.hexdigest() != stated["sha256"]:
            raise ValueError(f"{name} is not what was written: its sha256 differs")

    def _stated(self, name: str) -> dict[str, Any]:
        path = f"{self._shard['bucket']}/{name}"
        if path not in self._files:
            raise ValueError(f"{path} is not listed in dataset.json")
        return dict(self._files[path])


class _Hashing(io.RawIOBase):
    """Digests what is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def _explain(dataset: Dataset, shard: Mapping[str, Any], error: Exception) -> str:
    """Name the sample that is damaged, if it can be found."""
    words = str(error) or type(error).__name__
    report = Report()
    with contextlib.suppress(Exception):
        ShardCheck(dataset, dict(shard), report, decode=True).check(set())
    found = next((row for row in report.problems if row["key"]), None)
    if found is not None:
        words = f"{found['key']}: {found['problem']}"
    return (
        f"the shard {shard_name(dict(shard))} of {dataset.url} is damaged: {words}; `wavemill lint`"
        " lists all that is; fetch it or make it again"
    )
