"""Read one unit back from the spool: a row of numbers for each row of its segments."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from wavemill.audio.encode import OPUS_BITS_PER_SECOND
from wavemill.digest import digest_number
from wavemill.pipelines.reject_rows import RejectRow
from wavemill.records import to_json
from wavemill.spool import UnitReader, unit_url

TAR_BYTES = 1792
"""What a sample adds to its data in each tar: two headers, a block of JSON, half one of padding."""
LINE_BYTES = 800
"""About what a sample's lines take in the cuts and the NeMo manifest."""

HYPOTHESES = "hypotheses"
"""The stage of what no recognizer could hear."""

MEASURES = ("clipping", "silence", "snr_db", "num_characters")
"""Columns of the segments that are numbers about their quality."""

SCHEMA = pa.schema(
    [
        pa.field("unit", pa.int32()),
        pa.field("row", pa.int32()),
        pa.field("seconds", pa.float64()),
        pa.field("tokens", pa.int64()),
        pa.field("num_bytes", pa.int64()),
        pa.field("key", pa.uint64()),
        pa.field("audio_key", pa.uint64()),
        *(pa.field(name, pa.float32()) for name in MEASURES),
        pa.field("reject", pa.string()),
        pa.field("lost", pa.bool_()),
    ]
)
"""`reject` is the row of `rejected.jsonl` of what came to nothing, as JSON, else null; `lost` is
true in one row of each recording of which nothing came through. `unit` counts units."""


@dataclass(frozen=True, kw_only=True)
class SurveyConfig:
    """Where to look."""

    spool: str
    segments: str
    streams: tuple[tuple[str, str], ...]
    """(stage, name) of each token stream."""
    audio: str = "flac"
    """What will lie in the shards: flac, opus or none."""
    heard: str | None = None
    """The stage of hypotheses."""


def survey_unit(unit: str, config: SurveyConfig, number: int = 0) -> pa.Table:
    """Return a table of `SCHEMA`, a row a row of the unit's segments; the unit has this number."""
    return _Unit(unit, config).table(number)


def seconds_of(segments: UnitReader) -> npt.NDArray[np.float64]:
    """Return how long each row of a unit's segments is, [N]; 0 for what was rejected."""
    rates = np.maximum(segments.numbers("sample_rate"), 1)
    seconds: npt.NDArray[np.float64] = segments.numbers("num_samples") / rates
    return seconds


class _Unit:
    """One unit's segments and tokens side by side."""

    def __init__(self, unit: str, config: SurveyConfig) -> None:
        self._config, self._unit = config, unit
        self._segments = UnitReader(unit_url(config.spool, config.segments, unit))
        self._streams = [
            (name, UnitReader(unit_url(config.spool, stage, unit)))
            for stage, name in config.streams
        ]
        self._ids = self._segments.column("id")
        self._recordings = self._segments.column("recording_id")

    def table(self, number: int) -> pa.Table:
        count = len(self._ids)
        refused = self._rejects()
        keys = np.fromiter(map(digest_number, self._ids), np.uint64, count)
        lost = self._lost(refused)
        columns: dict[str, Any] = {
            "unit": np.full(count, number, np.int32),
            "row": np.arange(count, dtype=np.int32),
            "seconds": seconds_of(self._segments),
            "tokens": self._tokens(),
            "num_bytes": self._num_bytes(),
            "key": keys,
            "audio_key": self._audio_keys(keys),
            **{name: self._segments.numbers(name).astype(np.float32) for name in MEASURES},
            "reject": [to_json(refused[row]) if row in refused else None for row in range(count)],
            "lost": [row in lost for row in range(count)],
        }
        return pa.Table.from_pydict(columns, schema=SCHEMA)

    def _rejects(self) -> dict[int, RejectRow]:
        """Return the rows that came to nothing, by their number; the earliest stage speaks."""
        found: dict[int, RejectRow] = {}
        stages = [("segment", self._segments)]
        stages += [(f"tokenize:{name}", reader) for name, reader in self._streams]
        if self._config.heard is not None:
            heard = unit_url(self._config.spool, self._config.heard, self._unit)
            stages.append((HYPOTHESES, UnitReader(heard)))
        for stage, reader in stages:
            reasons = reader.column("reject_reason")
            for row, reason in enumerate(reasons):
                if reason is not None and row not in found:
                    about = reader.row(row, ["reject_detail", "reject_source"])
                    found[row] = {
                        "id": self._ids[row],
                        "recording": self._recordings[row],
                        "stage": stage,
                        "reason": reason,
                        "detail": about["reject_detail"] or "",
                        "source": about["reject_source"] or "",
                    }
        return found

    def _lost(self, refused: dict[int, RejectRow]) -> set[int]:
        """Return a row of each recording of which every segment was rejected."""
        kept = {name for row, name in enumerate(self._recordings) if row not in refused}
        rows = {reject["recording"]: row for row, reject in refused.items()}
        return {row for name, row in rows.items() if name not in kept}

    def _tokens(self) -> npt.NDArray[np.int64]:
        tokens = np.zeros(len(self._ids), np.int64)
        for _, reader in self._streams:
            tokens = np.maximum(tokens, reader.numbers("num_tokens"))
        return tokens

    def _num_bytes(self) -> npt.NDArray[np.int64]:
        """Say what each row takes in a shard, over all files: to the byte it is not known yet."""
        total = np.full(len(self._ids), LINE_BYTES, np.int64)
        if self._config.audio == "flac":
            total += self._whole("num_audio_bytes") + TAR_BYTES
        elif self._config.audio == "opus":
            channels = self._whole("num_channels")
            channels[channels > 2] = 1
            seconds = self._whole("num_samples") // np.maximum(self._whole("sample_rate"), 1) + 1
            total += seconds * channels * OPUS_BITS_PER_SECOND // 8 + TAR_BYTES
        for _, reader in self._streams:
            times = reader.sizes("times")
            total += reader.sizes("npy") + times + TAR_BYTES * (1 + (times > 0))
        return total

    def _whole(self, name: str) -> npt.NDArray[np.int64]:
        return self._segments.numbers(name).astype(np.int64)

    def _audio_keys(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Return the digests of the rows' audio.

        What was read back from a dataset without audio has none: each is taken for no copy.
        """
        found = self._segments.column("audio_digest")
        pairs = zip(keys.tolist(), found, strict=True)
        return np.array([key if one is None else one for key, one in pairs], np.uint64)
