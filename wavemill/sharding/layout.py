"""Names and JSON of the shard layout that webdataset, lhotse and NeMo all read.

    audio_000000.tar                        K.flac, then K.json (a lhotse Recording), for each key
    audio_000000.tar.idx                    where each sample begins
    <stream>_000000.tar (+ .idx)            K.npy [T, Q], then K.json (a lhotse TemporalArray)
    <stream>_times_000000.tar (+ .idx)      K.npy [T, 2], start and end in seconds, then K.json;
                                            of streams on an irregular clock
    cuts.000000.jsonl                       lhotse cuts
    sharded_manifests/manifest_000000.json  NeMo rows
    lengths_000000.npy                      a row a sample: `seconds` float64, and for each token
                                            stream `tokens_<stream>` uint32, little-endian; ours

Readers match these names by pattern, take exactly two members a key from each tar, and want all
tars of a shard to hold the same keys in the same order. No pattern of theirs matches the lengths.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from wavemill.records import to_json
from wavemill.tokenizers.base import TokenizerFacts

CUT_FIELDS = {
    "id", "start", "duration", "channel", "supervisions", "features", "recording", "custom", "type",
}  # fmt: skip
NEMO_FIELDS = {
    "audio_filepath", "duration", "text", "shard_id", "lang", "speaker", "offset",
}  # fmt: skip
PARSED_BY_LHOTSE = {"array", "shape", "sources", "width"}
"""lhotse takes a custom object with such a key for a manifest of its own, and may fail at it."""
ORIGIN = "origin"
"""The custom field that says where a sample was cut from."""
SECONDS = "seconds"
"""The field of the lengths that holds the durations of samples."""

_BUCKET = re.compile(r"bucket-\d{2,}")
_SHARD_FILE = re.compile(
    rf"{_BUCKET.pattern}/(\w+_\d{{6,}}\.tar(\.idx)?|cuts\.\d{{6,}}\.jsonl"
    r"|lengths_\d{6,}\.npy"
    r"|sharded_manifests/manifest_\d{6,}\.json)",
    re.ASCII,
)

Row = Mapping[str, Any]
"""A row of `SEGMENT_SCHEMA` without its audio; `custom` parsed."""


def tar_name(stream: str, shard: int) -> str:
    """Name a tar: of audio (`stream="audio"`) or of a token stream."""
    return f"{stream}_{shard:06d}.tar"


def cuts_name(shard: int) -> str:
    """Name a shard's lhotse cuts."""
    return f"cuts.{shard:06d}.jsonl"


def manifest_name(shard: int) -> str:
    """Name a shard's NeMo manifest."""
    return f"sharded_manifests/manifest_{shard:06d}.json"


def lengths_name(shard: int) -> str:
    """Name the lengths of a shard's samples."""
    return f"lengths_{shard:06d}.npy"


def tokens_field(stream: str) -> str:
    """Name the field of the lengths that holds a stream's: never one of another meaning."""
    return f"tokens_{stream}"


def stream_names(stream: str, frame_rate: float | None) -> tuple[str, ...]:
    """Name the tars of a token stream: of its ids, and on an irregular clock of their times."""
    times = times_of(stream, frame_rate)
    return (stream,) if times is None else (stream, times)


def times_of(stream: str, frame_rate: float | None) -> str | None:
    """Name what holds the times of a token stream; None of one on a regular clock."""
    return times_name(stream) if frame_rate is None else None


def times_name(stream: str) -> str:
    """Name what holds the times of a stream on an irregular clock."""
    return f"{stream}_times"


def shard_files(shard: int, streams: Iterable[str], *, audio: bool) -> Iterator[str]:
    """Yield the names of all files of a shard, relative to its bucket.

    `streams` are all of `stream_names`.
    """
    for stream in ("audio", *streams) if audio else streams:
        yield tar_name(stream, shard)
        yield f"{tar_name(stream, shard)}.idx"
    yield cuts_name(shard)
    yield lengths_name(shard)
    if audio:
        yield manifest_name(shard)


def is_bucket(name: str) -> bool:
    """Say whether a folder's name is that of a bucket."""
    return _BUCKET.fullmatch(name) is not None


def is_shard_file(path: str) -> bool:
    """Say whether a path, relative to a dataset, is one that a shard's file may have."""
    return _SHARD_FILE.fullmatch(path) is not None


def recording_json(row: Row) -> dict[str, Any]:
    """Describe a sample's audio as a lhotse Recording whose bytes lie in a tar."""
    channels = list(range(row["num_channels"]))
    return {
        "id": row["id"],
        "sources": [{"type": "shar", "channels": channels, "source": ""}],
        "sampling_rate": row["sample_rate"],
        "num_samples": row["num_samples"],
        "duration": row["num_samples"] / row["sample_rate"],
        "channel_ids": channels,
    }


def cut_json(row: Row, streams: Iterable[str]) -> dict[str, Any]:
    """Describe a sample as a lhotse cut over its whole recording.

    `streams` are all of `stream_names`: lhotse makes fields of them.
    """
    duration = row["num_samples"] / row["sample_rate"]
    mono = row["num_channels"] == 1
    channel = 0 if mono else list(range(row["num_channels"]))
    return {
        "id": row["id"],
        "start": 0.0,
        "duration": duration,
        "channel": channel,
        "supervisions": _supervisions(row, duration, channel),
        "recording": recording_json(row),
        "custom": cut_custom(row, streams),
        "type": "MonoCut" if mono else "MultiCut",
    }


def cut_custom(row: Row, streams: Iterable[str]) -> dict[str, Any]:
    """Return the custom fields of a sample's cut."""
    custom = {
        name: {"value": value} if _looks_like_a_manifest(value) else value
        for name, value in _renamed(row["custom"], _taken(tuple(streams))).items()
    }
    custom[ORIGIN] = {"recording": row["recording_id"], "start": row["start_seconds"]}
    return custom


@lru_cache
def _taken(streams: tuple[str, ...]) -> set[str]:
    """Return the names that a cut's custom fields cannot have."""
    return {*CUT_FIELDS, *streams, ORIGIN}


def _looks_like_a_manifest(value: Any) -> bool:
    return isinstance(value, dict) and not PARSED_BY_LHOTSE.isdisjoint(value)


def _supervisions(row: Row, duration: float, channel: Any) -> list[dict[str, Any]]:
    said = {name: row[name] for name in ("text", "language", "speaker") if row[name] is not None}
    if not said:
        return []
    whole = {"id": row["id"], "recording_id": row["id"], "start": 0.0, "duration": duration}
    return [{**whole, "channel": channel, **said}]


def nemo_json(row: Row, shard: int) -> dict[str, Any]:
    """Describe a sample as a row of a NeMo manifest for tarred audio."""
    fixed = {
        "audio_filepath": f"{row['id']}.{row['extension']}",
        "duration": row["num_samples"] / row["sample_rate"],
        "text": row["text"] or "",
        "shard_id": shard,
    }
    if row["language"] is not None:
        fixed["lang"] = row["language"]
    if row["speaker"] is not None:
        fixed["speaker"] = row["speaker"]
    return {**fixed, **_renamed(row["custom"], NEMO_FIELDS)}


def _renamed(custom: Mapping[str, Any], taken: set[str]) -> dict[str, Any]:
    """Keep custom fields from covering the layout's own; NAME becomes input_NAME."""
    return {f"input_{name}" if name in taken else name: value for name, value in custom.items()}


def array_json(row: Row, facts: TokenizerFacts, num_tokens: int) -> dict[str, Any]:
    """Describe a token array as a lhotse TemporalArray whose bytes lie in a tar."""
    return _array_json(row, facts, (num_tokens, facts.num_codebooks))


def times_json(row: Row, facts: TokenizerFacts, num_tokens: int) -> dict[str, Any]:
    """Describe the times beside a token array."""
    return _array_json(row, facts, (num_tokens, 2))


def _array_json(row: Row, facts: TokenizerFacts, shape: tuple[int, int]) -> dict[str, Any]:
    duration = row["num_samples"] / row["sample_rate"]
    return {
        "array": {
            "storage_type": "shar",
            "storage_path": "",
            "storage_key": "",
            "shape": list(shape),
        },
        "temporal_dim": 0,
        "frame_shift": frame_shift(facts.frame_rate, shape[0], duration),
        "start": 0.0,
    }


def frame_shift(frame_rate: float | None, num_tokens: int, duration: float) -> float:
    """Return seconds a token such that lhotse loads all of them.

    lhotse reads `round(duration / frame_shift)` tokens of a cut. That is all of them at the nominal
    rate, but for clips so short that a tokenizer had to fill them up. An empty array has a shift,
    too, which lhotse divides by.
    """
    if frame_rate is not None and math.floor(duration * frame_rate + 0.5) >= num_tokens:
        return 1 / frame_rate
    return duration / max(num_tokens, 1)


def json_line(value: Mapping[str, Any]) -> bytes:
    """Write a JSON object as a line."""
    return to_json(value).encode() + b"\n"
