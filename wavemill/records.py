"""Recording, Segment, TokenStream and Reject: what travels, and how it lies in Arrow.

A *recording* is one row of the input: a file, a manifest row, a table row, a sample of a tar. A
*segment* is what is cut from it and becomes a sample of the dataset. A *token stream* is what one
tokenizer makes of the segments. Whatever does not come through becomes a *reject*.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wavemill.digest import digest

# Reasons of rejects. They are part of the data format: readers group by them.
MISSING_FILE = "missing-file"
UNREADABLE = "unreadable"
UNDECODABLE = "undecodable"
EMPTY = "empty"
TRUNCATED = "truncated"
NON_FINITE = "non-finite"
UNSUPPORTED = "unsupported-format"
OFFSET_PAST_END = "offset-past-end"
SHORTER_THAN_STATED = "shorter-than-stated"
DUPLICATE_ID = "duplicate-id"
DUPLICATE_AUDIO = "duplicate-audio"
NEAR_DUPLICATE = "near-duplicate"
TOO_SHORT = "too-short"
TOO_LONG = "too-long"
CLIPPED = "clipped"
SILENT = "silent"
NOISY = "noisy"
SLOW_TEXT = "too-few-characters"
FAST_TEXT = "too-many-characters"
INVALID_JSON = "invalid-json"
INVALID_ROW = "invalid-row"
NO_SPEECH = "no-speech"
NO_SEGMENTS = "no-segments"
TOKENIZER_FAILED = "tokenizer-failed"
RECOGNIZER_FAILED = "recognizer-failed"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_NEMO_SUFFIX = re.compile(r"-sub\d+$")
COVER_SECONDS = 0.1
"""How far an annotation may miss a recording's ends and still be about the whole of it."""
MAX_KEY = 80  # leaves room for `@0000` and a suffix in a tar header's 100 bytes


def safe_key(name: str) -> str:
    """Turn any id into a key that every reader takes, and different ids into different keys.

    webdataset cuts keys at the first dot, NeMo takes `-sub<digits>` off, tar headers hold 100
    bytes. A name that breaks one of these rules is rewritten and gets a digest of the original.
    """
    cleaned = _UNSAFE.sub("_", name).strip("_")[:MAX_KEY]
    if cleaned == name and name and not _NEMO_SUFFIX.search(name):
        return name
    return f"{cleaned[: MAX_KEY - 17]}-{digest(name)}".lstrip("_-")


def path_id(relative_path: str) -> str:
    """Make the id of a file that has none: its stem, to be readable, and a digest of its path."""
    stem = _UNSAFE.sub("_", relative_path.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip("_")
    return f"{stem[:40]}-{digest(relative_path)}".lstrip("_-")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of a recording with what is known of it, in seconds from the file's start."""

    start_seconds: float
    duration_seconds: float | None = None
    """None: to the end."""
    channels: tuple[int, ...] = ()
    """Positions among the file's channels; none named are all, or those of the window around."""
    text: str | None = None
    language: str | None = None
    speaker: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    """Why this annotation makes no sense: such a span is never cut, and is rejected instead."""

    @property
    def end_seconds(self) -> float:
        """Where it ends; infinite for "to the end"."""
        length = math.inf if self.duration_seconds is None else self.duration_seconds
        return self.start_seconds + length

    def covers(self, window: "Span") -> bool:
        """Say whether an annotation speaks of the whole of a window, give or take a little."""
        if window.duration_seconds is None or self.problem is not None:
            return False
        end = self.start_seconds + (self.duration_seconds or 0.0)
        return (
            self.start_seconds <= window.start_seconds + COVER_SECONDS
            and end >= window.start_seconds + window.duration_seconds - COVER_SECONDS
            and self.channels in ((), window.channels)
        )


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One row of the input: where its audio is and what is known of it.

    `window` is the part of the file that the row speaks of. `spans` are annotations inside it
    (supervisions, segments with times), which `--segment manifest` cuts out. `version` changes
    when the file behind `url` does (size and modification time, or an entity tag): it keys the
    spool and reaches no shard.
    """

    id: str
    url: str
    version: str = ""
    byte_offset: int = 0
    num_bytes: int | None = None
    """Set for a member of a tar: the audio is `num_bytes` from `byte_offset` of `url`."""
    member: str | None = None
    """The tar member's name."""
    window: Span = Span(start_seconds=0.0)
    explicit_window: bool = False
    """True where the row gave an offset: then `window` is a cut and must lie within the file."""
    spans: tuple[Span, ...] = ()

    @property
    def source(self) -> str:
        """The URL, and the member for a tar, for people to read."""
        return f"{self.url}#{self.member}" if self.member else self.url


@dataclass(frozen=True, kw_only=True)
class Reject:
    """An input or a segment that did not come through."""

    id: str
    stage: str
    reason: str
    detail: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What was measured of a segment's audio; the columns of its row have these names."""

    clipping: float
    """Share of samples that are clipped."""
    silence: float
    """Share of frames that are silent."""
    snr_db: float
    """Estimated signal-to-noise ratio, -20 to 100 dB."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What is cut from a recording: a sample of the dataset.

    `audio` is FLAC with the source's sample rate, channels and bit depth (16 or 24).
    """

    id: str
    recording_id: str
    start_seconds: float
    num_samples: int
    sample_rate: int
    num_channels: int
    text: str | None
    language: str | None
    speaker: str | None
    custom: Mapping[str, Any]
    audio: bytes
    measures: Measures

    @property
    def duration_seconds(self) -> float:
        """The length of the audio."""
        return self.num_samples / self.sample_rate


_REJECT_FIELDS = [
    pa.field("reject_reason", pa.string()),
    pa.field("reject_detail", pa.string()),
    pa.field("reject_source", pa.string()),
]

RECORDING_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("byte_offset", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64()),
        pa.field("member", pa.string()),
        pa.field("explicit_window", pa.bool_(), nullable=False),
        pa.field("window", pa.string(), nullable=False),
        pa.field("spans", pa.string(), nullable=False),
    ]
)
"""`window` and `spans` are JSON: their custom fields have no fixed types."""

SEGMENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("start_seconds", pa.float64(), nullable=False),
        pa.field("num_samples", pa.int64(), nullable=False),
        pa.field("sample_rate", pa.int32(), nullable=False),
        pa.field("num_channels", pa.int16(), nullable=False),
        pa.field("num_audio_bytes", pa.int32(), nullable=False),
        pa.field("audio_digest", pa.uint64()),
        pa.field("clipping", pa.float32()),
        pa.field("silence", pa.float32()),
        pa.field("snr_db", pa.float32()),
        pa.field("num_characters", pa.int32()),
        pa.field("text", pa.string()),
        pa.field("language", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("custom", pa.string(), nullable=False),
        pa.field("audio", pa.binary()),
        *_REJECT_FIELDS,
    ]
)
"""A row whose `reject_reason` is set is a reject: it has no audio and becomes no sample.

`clipping`, `silence` and `snr_db` are `Measures`; `num_characters` are those of the text, if any.
"""

TOKEN_SCHEMA = pa.schema(
    [
        pa.field("num_tokens", pa.int32(), nullable=False),
        pa.field("npy", pa.binary()),
        pa.field("times", pa.binary()),
        *_REJECT_FIELDS,
    ]
)
"""One row a row of the unit's segments, in the same order; `npy` is the array [T, Q] as a file.

`times` is a file, too: when each token begins and ends, [T, 2]; null on a regular clock.
"""

FINGERPRINT_SCHEMA = pa.schema(
    [
        pa.field("embedding", pa.binary()),
        pa.field("wave", pa.binary()),
    ]
)
"""One row a row of the unit's segments, in the same order; null of rejects.

`embedding` is little-endian float16, `wave` int8; `wavemill/pipelines/fingerprint.py` makes them.
"""


def to_json(value: Any) -> str:
    """Write compact JSON with sorted keys; the same value gives the same text."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
"""Made once: `json.dumps` makes one a call."""


def span_to_json(span: Span) -> dict[str, Any]:
    """Turn a span into a JSON object without its empty fields."""
    whole = {
        "start_seconds": span.start_seconds,
        "duration_seconds": span.duration_seconds,
        "channels": list(span.channels) or None,
        "text": span.text,
        "language": span.language,
        "speaker": span.speaker,
        "custom": dict(span.custom) or None,
        "problem": span.problem,
    }
    return {name: value for name, value in whole.items() if value is not None}


def span_from_json(fields: Mapping[str, Any]) -> Span:
    """Turn what `span_to_json` made back into a span."""
    return Span(**{**fields, "channels": tuple(fields.get("channels", ()))})


def recording_row(recording: Recording) -> dict[str, Any]:
    """Turn a recording into a row of `RECORDING_SCHEMA`."""
    return {
        "id": recording.id,
        "url": recording.url,
        "version": recording.version,
        "byte_offset": recording.byte_offset,
        "num_bytes": recording.num_bytes,
        "member": recording.member,
        "explicit_window": recording.explicit_window,
        "window": to_json(span_to_json(recording.window)),
        "spans": to_json([span_to_json(span) for span in recording.spans]),
    }


def recording_from_row(row: Mapping[str, Any]) -> Recording:
    """Turn a row of `RECORDING_SCHEMA` back into a recording."""
    plain = {name: value for name, value in row.items() if name not in ("window", "spans")}
    return Recording(
        **plain,
        window=span_from_json(json.loads(row["window"])),
        spans=tuple(map(span_from_json, json.loads(row["spans"]))),
    )
