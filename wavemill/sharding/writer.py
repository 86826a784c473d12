"""Write one shard: a pure function of the plan, whose members are fetched from the spool.

Audio and tokens are copied from memory-mapped Arrow files into the tars; nothing is decoded, and a
shard in the making costs the memory of its headers.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.audio import encode_opus, flac_to_float, resample, to_mono
from wavemill.audio.encode import opus_rate
from wavemill.audio.stored import OGG_HEAD
from wavemill.digest import sha256
from wavemill.sharding import layout
from wavemill.sharding.tar import TarWriter
from wavemill.spool import UnitReader, unit_url
from wavemill.tokenizers.base import TokenizerFacts

OPEN_UNITS = 512
"""How many memory-mapped unit files a worker keeps open."""
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


def write_shard(task: ShardTask, sources: ShardSources, out: str) -> ShardResult:
    """Write a shard's tars, indexes and manifests below `out`, each atomically."""
    result = ShardResult(bucket=task.bucket, number=task.number)
    folder = storage.join(out, task.bucket)
    rows = [_read_row(sources, unit, row) for unit, row in task.members]
    result.samples = len(rows)
    if sources.audio != "none":
        _write_audio(task, sources, rows, folder, result)
        lines = [layout.json_line(layout.nemo_json(row, task.number)) for row in rows]
        _write_text(folder, layout.manifest_name(task.number), lines, result)
    for stage, facts in sources.streams:
        _write_tokens(task, sources, rows, (stage, facts), folder, result)
        if facts.frame_rate is None:
            _write_times(task, sources, rows, (stage, facts), folder, result)
    names = [
        name
        for _, facts in sources.streams
        for name in layout.stream_names(facts.name, facts.frame_rate)
    ]
    cuts = [layout.json_line(layout.cut_json(row, names)) for row in rows]
    _write_text(folder, layout.cuts_name(task.number), cuts, result)
    result.seconds = sum(row["num_samples"] / row["sample_rate"] for row in rows)
    return result


@lru_cache(maxsize=OPEN_UNITS)
def _open_unit(url: str) -> UnitReader:
    return UnitReader(url)


def _unit(sources: ShardSources, stage: str, unit: str) -> UnitReader:
    return _open_unit(unit_url(sources.spool, stage, unit))


def _read_row(sources: ShardSources, unit: str, index: int) -> dict[str, Any]:
    row = _unit(sources, sources.segments, unit).row(index, SEGMENT_FIELDS)
    row["custom"] = json.loads(row["custom"])
    return row


def _write_audio(
    task: ShardTask,
    sources: ShardSources,
    rows: list[dict[str, Any]],
    folder: str,
    result: ShardResult,
) -> None:
    name = layout.tar_name("audio", task.number)
    with _tar(folder, name, result) as tar:
        for row, (unit, index) in zip(rows, task.members, strict=True):
            audio = _unit(sources, sources.segments, unit).buffer("audio", index)
            row["extension"] = sources.audio
            # What was read back from a dataset is Opus already, and its row speaks of that.
            if sources.audio == "opus" and audio[: len(OGG_HEAD)] != OGG_HEAD:
                audio = _to_opus(row, audio)
            about = layout.json_line(layout.recording_json(row))
            tar.add(row["id"], (sources.audio, audio), ("json", about))


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


def _write_tokens(
    task: ShardTask,
    sources: ShardSources,
    rows: list[dict[str, Any]],
    stream: tuple[str, TokenizerFacts],
    folder: str,
    result: ShardResult,
) -> None:
    stage, facts = stream
    counts = np.zeros((facts.num_codebooks, facts.codebook_size), np.int64)
    total = 0
    with _tar(folder, layout.tar_name(facts.name, task.number), result) as tar:
        for row, (unit, index) in zip(rows, task.members, strict=True):
            reader = _unit(sources, stage, unit)
            npy = reader.buffer("npy", index)
            length = reader.row(index, ["num_tokens"])["num_tokens"]
            total += length
            _count(counts, npy, facts)
            about = layout.json_line(layout.array_json(row, facts, length))
            tar.add(row["id"], ("npy", npy), ("json", about))
    result.tokens[facts.name] = total
    result.counts[facts.name] = counts.tolist()


def _write_times(
    task: ShardTask,
    sources: ShardSources,
    rows: list[dict[str, Any]],
    stream: tuple[str, TokenizerFacts],
    folder: str,
    result: ShardResult,
) -> None:
    stage, facts = stream
    name = layout.tar_name(layout.times_name(facts.name), task.number)
    with _tar(folder, name, result) as tar:
        for row, (unit, index) in zip(rows, task.members, strict=True):
            reader = _unit(sources, stage, unit)
            length = reader.row(index, ["num_tokens"])["num_tokens"]
            about = layout.json_line(layout.times_json(row, facts, length))
            tar.add(row["id"], ("npy", reader.buffer("times", index)), ("json", about))


def _count(counts: npt.NDArray[np.int64], npy: memoryview, facts: TokenizerFacts) -> None:
    """Add a token file's ids to the counts [Q, K]; its data are the last bytes of the file."""
    header = int.from_bytes(npy[8:10], "little") + 10
    codes = np.frombuffer(npy, facts.dtype, offset=header).reshape(-1, facts.num_codebooks)
    for codebook in range(facts.num_codebooks):
        counts[codebook] += np.bincount(codes[:, codebook], minlength=facts.codebook_size)


@contextlib.contextmanager
def _tar(folder: str, name: str, result: ShardResult) -> Iterator[TarWriter]:
    url = storage.join(folder, name)
    with storage.write_atomically(url) as file:
        tar = TarWriter(file)
        yield tar
        tar.finish()
    _note(result, name, tar.size, tar.sha256)
    _write_text(folder, f"{name}.idx", [tar.index()], result)


def _write_text(folder: str, name: str, parts: Sequence[bytes], result: ShardResult) -> None:
    data = b"".join(parts)
    storage.write_bytes(storage.join(folder, name), data)
    _note(result, name, len(data), sha256(data))


def _note(result: ShardResult, name: str, size: int, digest: str) -> None:
    result.files.append({"path": f"{result.bucket}/{name}", "bytes": size, "sha256": digest})


def result_json(result: ShardResult) -> Mapping[str, Any]:
    """Turn a result into what its marker holds."""
    return vars(result)


__all__ = ["ShardResult", "ShardSources", "ShardTask", "result_json", "write_shard"]
