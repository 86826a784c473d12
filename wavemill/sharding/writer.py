"""Write one shard: a pure function of the plan, whose members are fetched from the spool.

Audio and tokens are copied from memory-mapped Arrow files into the tars; nothing is decoded, and a
shard in the making costs the memory of its headers and of up to 64 MB of tokens. Members lie in
about as many units as there are members, and to open one takes longer than to copy from it: each
is opened once for its tokens, once for what is said of its segments, and once for their audio.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from wavemill.audio import encode_opus, flac_to_float, resample, to_mono
from wavemill.audio.encode import opus_rate
from wavemill.audio.stored import OGG_HEAD
from wavemill.sharding import layout
from wavemill.sharding.counting import IdCounter
from wavemill.sharding.lengths import make_lengths, pack_lengths
from wavemill.sharding.lines import array_lines, cut_line, nemo_line, recording_line, times_lines
from wavemill.sharding.said import said_of
from wavemill.sharding.shard_files import ShardFiles, shard_files
from wavemill.spool import UnitReader, unit_url
from wavemill.tokenizers.base import TokenizerFacts

OPEN_UNITS = 512
"""How many memory-mapped unit files a worker keeps open."""
FEW_ROWS = 8
"""Of a unit, that are read one by one."""
SAMPLES = 1024
"""Samples that are written at once."""
HELD_BYTES = 64 << 20
"""Tokens that are held while units are read one after another."""
ENCODED_AT_ONCE = 16
"""Samples that are encoded, and lie in memory, before they are written."""
SEGMENT_FIELDS = (
    "id", "recording_id", "start_seconds", "num_samples", "sample_rate", "num_channels", "text",
    "language", "speaker", "custom",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ShardSources:
    """Where a shard's members lie and what becomes of them."""

    spool: str
    segments: str
    """The stage whose units hold the segments."""
    streams: tuple[tuple[str, TokenizerFacts], ...] = ()
    """The stage and the facts of each token stream."""
    audio: str = "flac"
    """flac, opus or none."""


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """One shard to write: its members as (unit, row), in order."""

    bucket: str
    number: int
    members: Sequence[tuple[str, int]]


@dataclass(kw_only=True)
class ShardResult:
    """What was written; the marker that says that a shard is done holds this as JSON."""

    bucket: str
    number: int
    samples: int = 0
    seconds: float = 0.0
    files: list[dict[str, Any]] = field(default_factory=list)
    """path (relative to the dataset), bytes, sha256."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Tokens (steps of time) of each stream."""
    counts: dict[str, list[list[int]]] = field(default_factory=dict)
    """How often each id of each codebook of each stream occurs."""
    said: dict[str, Any] = field(default_factory=dict)
    """How many samples name each language and each licence, and how many have a text."""


def write_shard(task: ShardTask, sources: ShardSources, out: str) -> ShardResult:
    """Write a shard's tars, indexes and manifests below `out`, each atomically."""
    rows = _read_rows(task, sources)
    result = ShardResult(bucket=task.bucket, number=task.number, samples=len(rows))
    result.said = said_of(rows)
    with shard_files(out, task.bucket) as files:
        if sources.audio != "none":
            _write_audio(task, sources, rows, files)
            lines = [nemo_line(row, task.number) for row in rows]
            files.lines(layout.manifest_name(task.number), lines)
        names: tuple[str, ...] = ()
        tokens: dict[str, list[int]] = {}
        for stage, facts in sources.streams:
            written = _write_stream(task, (sources.spool, stage), facts, rows, files)
            tokens[facts.name], result.counts[facts.name] = written
            names += layout.stream_names(facts.name, facts.frame_rate)
        files.lines(layout.cuts_name(task.number), [cut_line(row, names) for row in rows])
        seconds = [row["num_samples"] / row["sample_rate"] for row in rows]
        data = pack_lengths(make_lengths(seconds, tokens))
        files.lines(layout.lengths_name(task.number), [data])
    result.files = files.written
    result.seconds = sum(seconds)
    result.tokens = {name: sum(lengths) for name, lengths in tokens.items()}
    return result


@lru_cache(maxsize=OPEN_UNITS)
def _open_unit(spool: str, stage: str, unit: str) -> UnitReader:
    return UnitReader(unit_url(spool, stage, unit))


def _by_unit(members: Sequence[tuple[str, int]]) -> Iterator[tuple[str, list[int]]]:
    """Yield the units of some members, each with the members' places."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, (unit, _) in enumerate(members):
        found[unit].append(place)
    yield from found.items()


def _gather(task: ShardTask, spool: str, stage: str, names: Sequence[str]) -> list[list[Any]]:
    """Return columns of the members' rows, read a unit at a time."""
    columns: list[list[Any]] = [[None] * len(task.members) for _ in names]
    for unit, places in _by_unit(task.members):
        reader = _open_unit(spool, stage, unit)
        rows = [task.members[place][1] for place in places]
        for column, values in zip(columns, _values(reader, rows, names), strict=True):
            for place, value in zip(places, values, strict=True):
                column[place] = value
    return columns


def _values(reader: UnitReader, rows: Sequence[int], names: Sequence[str]) -> list[list[Any]]:
    """Return columns of some rows: one by one if they are few, for a table takes its time."""
    if len(rows) < FEW_ROWS:
        found = [reader.row(row, names) for row in rows]
        return [[row[name] for row in found] for name in names]
    table = reader.table(names).take(rows)
    return [column.to_numpy(zero_copy_only=False).tolist() for column in table.columns]


def _read_rows(task: ShardTask, sources: ShardSources) -> list[dict[str, Any]]:
    columns = _gather(task, sources.spool, sources.segments, SEGMENT_FIELDS)
    audio = sources.audio
    # Written out: half a microsecond less a row than `dict(zip(...))`.
    return [
        {
            "id": key, "recording_id": recording, "start_seconds": start, "num_samples": samples,
            "sample_rate": rate, "num_channels": channels, "text": text, "language": language,
            "speaker": speaker, "custom": json.loads(custom) if custom != "{}" else {},
            "extension": audio,
        }
        for key, recording, start, samples, rate, channels, text, language, speaker, custom
        in zip(*columns, strict=True)
    ]  # fmt: skip


def _write_audio(
    task: ShardTask, sources: ShardSources, rows: list[dict[str, Any]], files: ShardFiles
) -> None:
    opus = sources.audio == "opus"
    with files.tar(layout.tar_name("audio", task.number)) as tar:
        for part in _parts(len(rows), ENCODED_AT_ONCE if opus else SAMPLES):
            bodies = _bodies(task.members[part], sources.spool, sources.segments, "audio")
            if opus:
                bodies = list(map(_as_opus, rows[part], bodies))
            lines = [recording_line(row) for row in rows[part]]
            tar.add([row["id"] for row in rows[part]], **{sources.audio: bodies}, json=lines)


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))


def _bodies(
    members: Sequence[tuple[str, int]], spool: str, stage: str, name: str
) -> list[memoryview]:
    return [_open_unit(spool, stage, unit).buffer(name, row) for unit, row in members]


def _as_opus(row: dict[str, Any], audio: memoryview) -> memoryview:
    # What was read back from a dataset is Opus already, and its row speaks of that.
    return audio if audio[: len(OGG_HEAD)] == OGG_HEAD else _to_opus(row, audio)


def _to_opus(row: dict[str, Any], flac: memoryview) -> memoryview:
    """Encode as Opus and correct the row: its sample rate, and at most two channels."""
    samples, sample_rate = flac_to_float(flac)
    if samples.shape[1] > 2:
        samples = to_mono(samples)[:, None]
    rate = opus_rate(sample_rate)
    samples = resample(samples, sample_rate, rate)
    row["num_samples"], row["num_channels"] = samples.shape
    row["sample_rate"] = rate
    return memoryview(encode_opus(samples, rate))


def _write_stream(
    task: ShardTask,
    where: tuple[str, str],
    facts: TokenizerFacts,
    rows: list[dict[str, Any]],
    files: ShardFiles,
) -> tuple[list[int], list[list[int]]]:
    """Write a tar of tokens, and on an irregular clock one of their times.

    Returns:
        The samples' lengths, [N], and how often each id of each codebook occurs, [Q, K].

    """
    lengths: list[int] = []
    keys = [row["id"] for row in rows]
    counter = IdCounter(facts)
    with files.tar(layout.tar_name(facts.name, task.number)) as tar:
        for part, found, bodies in _arrays(task, where, "npy"):
            counter.add(bodies, found)
            tar.add(keys[part], npy=bodies, json=array_lines(rows[part], facts, found))
            lengths += found
    if facts.frame_rate is None:
        with files.tar(layout.tar_name(layout.times_name(facts.name), task.number)) as tar:
            for part, found, bodies in _arrays(task, where, "times"):
                tar.add(keys[part], npy=bodies, json=times_lines(rows[part], facts, found))
    return lengths, counter.counts().tolist()


def _arrays(
    task: ShardTask, where: tuple[str, str], name: str
) -> Iterator[tuple[slice, list[int], list[memoryview]]]:
    """Yield parts of the members, how many tokens each has, and files of their arrays."""
    size, start = SAMPLES, 0
    while start < len(task.members):
        part = slice(start, min(start + size, len(task.members)))
        lengths, bodies = _read_arrays(task.members[part], where, name)
        yield part, lengths, bodies
        start = part.stop
        mean = sum(map(len, bodies)) // len(bodies) + 1
        size = max(SAMPLES, HELD_BYTES // mean)


def _read_arrays(
    members: Sequence[tuple[str, int]], where: tuple[str, str], name: str
) -> tuple[list[int], list[memoryview]]:
    """Read the arrays of some members, a unit at a time."""
    lengths, bodies = [0] * len(members), [memoryview(b"")] * len(members)
    for unit, places in _by_unit(members):
        reader = UnitReader(unit_url(*where, unit))
        counts = reader.numbers("num_tokens")
        for place in places:
            row = members[place][1]
            lengths[place] = int(counts[row])
            bodies[place] = memoryview(bytes(reader.buffer(name, row)))
    return lengths, bodies


def result_json(result: ShardResult) -> Mapping[str, Any]:
    """Turn a result into what its marker holds."""
    return vars(result)


__all__ = ["ShardResult", "ShardSources", "ShardTask", "result_json", "write_shard"]
