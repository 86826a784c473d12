"""Read back from the spool what the plan needs: a few numbers a sample, and what was rejected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.audio.encode import OPUS_BITS_PER_SECOND
from wavemill.digest import digest_number
from wavemill.pipelines.ingest import STAGE as INGEST
from wavemill.sharding.plan import Lengths
from wavemill.spool import UnitReader, unit_url

TAR_BYTES = 1792
"""What a sample adds to its data in each tar: two headers, a block of JSON, half one of padding."""
LINE_BYTES = 800
"""About what a sample's lines take in the cuts and the NeMo manifest."""

MEASURES = ("clipping", "silence", "snr_db", "num_characters")
"""Columns of the segments that are numbers about their quality."""

Measured = npt.NDArray[np.float32]

RejectRow = dict[str, str]
"""A row of `rejected.jsonl`: id, recording, stage, reason, detail, source."""


@dataclass(frozen=True, kw_only=True)
class SurveyConfig:
    """Where to look."""

    spool: str
    segments: str
    streams: tuple[tuple[str, str], ...]
    """(stage, name) of each token stream."""
    audio: str = "flac"
    """What will lie in the shards: flac, opus or none."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the spool holds of a corpus."""

    lengths: Lengths
    audio_keys: npt.NDArray[np.uint64]
    """A digest of each sample's audio, [N]: equal for equal samples."""
    measures: dict[str, Measured]
    """A number of each sample by what it is, [N]; NaN where there is none."""
    rejects: list[RejectRow]
    rejected_segments: int
    lost_recordings: int
    """Recordings of which nothing came through."""

    def select(self, kept: npt.NDArray[np.bool_]) -> "Survey":
        """Return it with some of its samples, those where `kept` [N] is true."""
        arrays: dict[str, Any] = {name: values[kept] for name, values in vars(self.lengths).items()}
        return replace(
            self,
            lengths=Lengths(**arrays),
            audio_keys=self.audio_keys[kept],
            measures={name: values[kept] for name, values in self.measures.items()},
        )


def survey(
    units: Sequence[str], config: SurveyConfig, tick: Callable[[], None] = lambda: None
) -> Survey:
    """Read the units in order; `tick` is called after each."""
    parts = []
    for number, unit in enumerate(units):
        parts.append(_Unit(unit, config).survey(number))
        tick()
    return join_surveys(parts)


def join_surveys(parts: Sequence[Survey]) -> Survey:
    """Join surveys whose units are counted through, in their order."""
    arrays: dict[str, Any] = {
        name: np.concatenate([np.zeros(0, kind), *(getattr(part.lengths, name) for part in parts)])
        for name, kind in _TYPES.items()
    }
    return Survey(
        lengths=Lengths(**arrays),
        audio_keys=np.concatenate([np.zeros(0, np.uint64), *(part.audio_keys for part in parts)]),
        measures={
            name: np.concatenate(
                [np.zeros(0, np.float32), *(part.measures[name] for part in parts)]
            )
            for name in MEASURES
        },
        rejects=[row for part in parts for row in part.rejects],
        rejected_segments=sum(part.rejected_segments for part in parts),
        lost_recordings=sum(part.lost_recordings for part in parts),
    )


_TYPES: dict[str, Any] = {
    "unit": np.int32,
    "row": np.int32,
    "seconds": np.float64,
    "tokens": np.int64,
    "num_bytes": np.int64,
    "key": np.uint64,
}


class _Unit:
    """One unit's segments and tokens side by side."""

    def __init__(self, unit: str, config: SurveyConfig) -> None:
        self._config = config
        self._segments = UnitReader(unit_url(config.spool, config.segments, unit))
        self._streams = [
            (name, UnitReader(unit_url(config.spool, stage, unit)))
            for stage, name in config.streams
        ]
        self._ids = self._segments.column("id")
        self._recordings = self._segments.column("recording_id")

    def survey(self, number: int) -> Survey:
        """Survey the unit, which is the one of that number."""
        refused = self.rejects()
        rows = self.rows(refused)
        return Survey(
            lengths=self.lengths(number, rows),
            audio_keys=self.audio_keys(rows),
            measures=self.measures(rows),
            rejects=[*refused.values()],
            rejected_segments=len(refused),
            lost_recordings=self.lost(refused),
        )

    def rejects(self) -> dict[int, RejectRow]:
        """Return the rows that came to nothing, by their number; the earliest stage speaks."""
        found: dict[int, RejectRow] = {}
        stages = [("segment", self._segments)]
        stages += [(f"tokenize:{name}", reader) for name, reader in self._streams]
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

    def lost(self, refused: dict[int, RejectRow]) -> int:
        """Count the recordings of which every segment was rejected."""
        kept = {name for row, name in enumerate(self._recordings) if row not in refused}
        return len({reject["recording"] for reject in refused.values()} - kept)

    def rows(self, refused: dict[int, RejectRow]) -> npt.NDArray[np.int32]:
        """Return the numbers of the rows that came through."""
        return np.array([row for row in range(len(self._ids)) if row not in refused], np.int32)

    def lengths(self, number: int, rows: npt.NDArray[np.int32]) -> Lengths:
        """Return what the plan needs of some rows."""
        tokens = np.zeros(len(self._ids), np.int64)
        for _, reader in self._streams:
            tokens = np.maximum(tokens, reader.numbers("num_tokens"))
        rates = np.maximum(self._segments.numbers("sample_rate"), 1)
        return Lengths(
            unit=np.full(len(rows), number, np.int32),
            row=rows,
            seconds=(self._segments.numbers("num_samples") / rates)[rows],
            tokens=tokens[rows],
            num_bytes=self._num_bytes()[rows],
            key=np.array([digest_number(self._ids[row]) for row in rows], np.uint64),
        )

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

    def audio_keys(self, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
        """Return the digests of some rows' audio.

        What was read back from a dataset without audio has none: each is taken for no copy.
        """
        found = self._segments.column("audio_digest")
        keys = [digest_number(self._ids[row]) if found[row] is None else found[row] for row in rows]
        return np.array(keys, np.uint64)

    def measures(self, rows: npt.NDArray[np.int32]) -> dict[str, Measured]:
        """Return what was measured of some rows."""
        return {name: self._segments.numbers(name).astype(np.float32)[rows] for name in MEASURES}


def count_recordings(rejects: Sequence[RejectRow]) -> int:
    """Count the recordings that rejects speak of.

    One that ingest rejected is a row of its own, even where another row has the same id.
    """
    rows = sum(reject["stage"] == INGEST for reject in rejects)
    return rows + len({r["recording"] for r in rejects if r["stage"] != INGEST})
