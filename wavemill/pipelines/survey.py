"""Read back from the spool what the plan needs: a few numbers a sample, and what was rejected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest
from wavemill.pipelines.ingest import STAGE as INGEST
from wavemill.records import DUPLICATE_AUDIO
from wavemill.sharding.plan import Lengths
from wavemill.spool import UnitReader, unit_url

SAMPLE_BYTES = 2048
"""About what headers, JSON and padding add to a sample's data in the tars."""

RejectRow = dict[str, str]
"""A row of `rejected.jsonl`: id, recording, stage, reason, detail, source."""


@dataclass(frozen=True, kw_only=True)
class SurveyConfig:
    """Where to look."""

    spool: str
    segments: str
    streams: tuple[tuple[str, str], ...]
    """(stage, name) of each token stream."""
    with_audio: bool = True
    """Whether audio will lie in the shards."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the spool holds of a corpus."""

    lengths: Lengths
    audio_keys: npt.NDArray[np.uint64]
    """A digest of each sample's audio, [N]: equal for equal samples."""
    rejects: list[RejectRow]
    rejected_segments: int
    lost_recordings: int
    """Recordings of which nothing came through."""


def survey(
    units: Sequence[str], config: SurveyConfig, tick: Callable[[], None] = lambda: None
) -> Survey:
    """Read the units in order; `tick` is called after each."""
    parts: list[tuple[Lengths, npt.NDArray[np.uint64]]] = []
    rejects: list[RejectRow] = []
    lost = 0
    for number, unit in enumerate(units):
        view = _Unit(unit, config)
        refused = view.rejects()
        rejects += refused.values()
        lost += view.lost(refused)
        parts.append(view.lengths(number, refused))
        tick()
    every = [lengths for lengths, _ in parts]
    return Survey(
        lengths=_concatenate(every),
        audio_keys=np.concatenate([np.zeros(0, np.uint64), *(keys for _, keys in parts)]),
        rejects=rejects,
        rejected_segments=len(rejects),
        lost_recordings=lost,
    )


def _concatenate(parts: Sequence[Lengths]) -> Lengths:
    arrays: dict[str, Any] = {
        name: np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])
        for name, kind in _TYPES.items()
    }
    return Lengths(**arrays)


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

    def lengths(
        self, number: int, refused: dict[int, RejectRow]
    ) -> tuple[Lengths, npt.NDArray[np.uint64]]:
        """Return the numbers of the rows that came through."""
        rows = np.array([row for row in range(len(self._ids)) if row not in refused], np.int32)
        tokens = np.zeros(len(self._ids), np.int64)
        for _, reader in self._streams:
            tokens = np.maximum(tokens, reader.numbers("num_tokens"))
        audio = self._segments.numbers("num_audio_bytes").astype(np.int64)
        rates = np.maximum(self._segments.numbers("sample_rate"), 1)
        lengths = Lengths(
            unit=np.full(len(rows), number, np.int32),
            row=rows,
            seconds=(self._segments.numbers("num_samples") / rates)[rows],
            tokens=tokens[rows],
            num_bytes=(audio * self._config.with_audio + tokens + SAMPLE_BYTES)[rows],
            key=np.array([int(digest(self._ids[row]), 16) for row in rows], np.uint64),
        )
        keys = self._segments.column("audio_digest")
        return lengths, np.array([keys[row] for row in rows], np.uint64)


def count_recordings(rejects: Sequence[RejectRow]) -> int:
    """Count the recordings that rejects speak of.

    One that ingest rejected is a row of its own, even where another row has the same id.
    """
    rows = sum(reject["stage"] == INGEST for reject in rejects)
    return rows + len({r["recording"] for r in rejects if r["stage"] != INGEST})


def later_copies(audio_keys: npt.NDArray[np.uint64]) -> dict[int, int]:
    """Map each sample whose audio came before to the first that has it (positions in [N])."""
    order = np.argsort(audio_keys, kind="stable")
    new = np.ones(len(order), bool)
    new[1:] = audio_keys[order][1:] != audio_keys[order][:-1]
    firsts = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
    copies = np.flatnonzero(~new)
    return dict(zip(order[copies].tolist(), firsts[copies].tolist(), strict=True))


def drop_copies(found: Survey, units: Sequence[str], config: SurveyConfig) -> Survey:
    """Leave one sample of each group with equal audio; the others become rejects."""
    copies = later_copies(found.audio_keys)
    lengths = found.lengths

    def names(position: int) -> dict[str, str]:
        unit = units[int(lengths.unit[position])]
        reader = UnitReader(unit_url(config.spool, config.segments, unit))
        return reader.row(int(lengths.row[position]), ["id", "recording_id"])

    rejects = []
    for copy, first in sorted(copies.items()):
        about = names(copy)
        rejects.append(
            {
                "id": about["id"],
                "recording": about["recording_id"],
                "stage": "dedup",
                "reason": DUPLICATE_AUDIO,
                "detail": f"the same audio as {names(first)['id']}, which is kept",
                "source": "",
            }
        )
    kept = np.setdiff1d(np.arange(len(lengths)), np.array(list(copies), np.int64))
    arrays: dict[str, Any] = {name: getattr(lengths, name)[kept] for name in _TYPES}
    return replace(
        found,
        lengths=Lengths(**arrays),
        audio_keys=found.audio_keys[kept],
        rejects=[*found.rejects, *rejects],
    )
