"""Recordings of one id in several parts of a dataset: one is kept, nothing is lost in silence.

Only datasets that are merged can hold such: `add` compares ids before it reads audio.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest
from wavemill.pipelines.ingest import STAGE as INGEST
from wavemill.pipelines.parts import Part
from wavemill.pipelines.survey import RejectRow, Survey, SurveyConfig
from wavemill.records import DUPLICATE_ID, to_json
from wavemill.sharding.writer import SEGMENT_FIELDS
from wavemill.spool import UnitReader, unit_url

Place = tuple[int, int]
"""A unit, counted within its part, and a row of it."""


@dataclass(kw_only=True)
class Namesakes:
    """What is left out of each part, and what is said of it."""

    rows: list[set[Place]]
    """Samples, by part."""
    recordings: list[set[str]]
    """Recordings, by part."""
    ingest: list[set[str]]
    """Rejects of ingest that an earlier part has, too, as JSON; by part."""
    identical: int = 0
    rejects: list[RejectRow] = field(default_factory=list)

    def drops_reject(self, part: int, row: RejectRow) -> bool:
        """Say whether a reject of a part is left out."""
        if row["stage"] == INGEST:
            return bool(self.ingest[part]) and to_json(row) in self.ingest[part]
        return row["recording"] in self.recordings[part]


@dataclass(kw_only=True)
class _Held:
    """What one part holds of one recording."""

    places: list[Place] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """Digests of its samples, and its rejects."""


def find_namesakes(
    parts: Sequence[Part], surveys: Sequence[Survey], config: SurveyConfig
) -> Namesakes:
    """Compare the recordings that several parts hold.

    Of equal ones the first is kept. Of others the first that came to samples is kept, and each of
    the rest becomes a reject, as an id that comes again does in `prepare`.
    """
    same = Namesakes(
        rows=[set() for _ in parts],
        recordings=[set() for _ in parts],
        ingest=[set() for _ in parts],
    )
    if len(parts) < 2:
        return same
    _match_ingest(parts, same)
    keys = [_recording_keys(*pair, config) for pair in zip(parts, surveys, strict=True)]
    shared = _shared(keys)
    if not len(shared):
        return same
    held = [_look(part, found, config, shared) for part, found in zip(parts, surveys, strict=True)]
    for name in dict.fromkeys(name for one in held for name in one):
        owners = [number for number, one in enumerate(held) if name in one]
        if len(owners) > 1:
            _settle(name, owners, held, parts, same)
    return same


def _match_ingest(parts: Sequence[Part], same: Namesakes) -> None:
    seen: set[str] = set()
    for number, part in enumerate(parts):
        own = {to_json(row): 0 for row in part.rejects if row["stage"] == INGEST}
        again = own.keys() & seen
        same.ingest[number] = set(again)
        same.identical += sum(
            row["stage"] == INGEST and to_json(row) in again for row in part.rejects
        )
        seen |= own.keys()


def _key(name: str) -> int:
    return int(digest(name), 16)


def _rejected(part: Part, found: Survey) -> Iterator[RejectRow]:
    yield from (row for row in (*part.rejects, *found.rejects) if row["stage"] != INGEST)


def _recording_keys(part: Part, found: Survey, config: SurveyConfig) -> npt.NDArray[np.uint64]:
    """Digest the ids of a part's recordings, each once."""
    found_keys = [np.array([_key(row["recording"]) for row in _rejected(part, found)], np.uint64)]
    for unit in part.units:
        reader = UnitReader(unit_url(config.spool, config.segments, unit))
        names = {*reader.column("recording_id")}
        found_keys.append(np.fromiter(map(_key, names), np.uint64, len(names)))
    return np.unique(np.concatenate(found_keys))


def _shared(keys: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    values, counts = np.unique(np.concatenate(keys), return_counts=True)
    return values[counts > 1]


def _look(
    part: Part, found: Survey, config: SurveyConfig, shared: npt.NDArray[np.uint64]
) -> dict[str, _Held]:
    """Gather what a part holds of the recordings that others hold, too."""
    keys = set(shared.tolist())
    held: dict[str, _Held] = {}
    for reject in _rejected(part, found):
        if _key(reject["recording"]) in keys:
            held.setdefault(reject["recording"], _Held()).said.append(to_json(reject))
    for number, unit in enumerate(part.units):
        segments = UnitReader(unit_url(config.spool, config.segments, unit))
        streams = [UnitReader(unit_url(config.spool, stage, unit)) for stage, _ in config.streams]
        for row, name in enumerate(segments.column("recording_id")):
            if _key(name) in keys and not _is_rejected(row, segments, *streams):
                one = held.setdefault(name, _Held())
                one.places.append((number, row))
                one.said.append(_digest(row, segments, streams))
    return held


def _is_rejected(row: int, *readers: UnitReader) -> bool:
    return any(reader.row(row, ["reject_reason"])["reject_reason"] for reader in readers)


def _digest(row: int, segments: UnitReader, streams: Sequence[UnitReader]) -> str:
    """Digest all that a sample holds."""
    about: dict[str, Any] = segments.row(row, [*SEGMENT_FIELDS, "audio_digest"])
    codes = [reader.row(row, ["npy", "times"]) for reader in streams]
    arrays = [digest(data or b"") for one in codes for data in one.values()]
    return digest([about, arrays], size=16)


def _settle(
    name: str, owners: Sequence[int], held: Sequence[dict[str, _Held]], parts: Sequence[Part],
    same: Namesakes,
) -> None:  # fmt: skip
    """Keep one of the recordings of a name, and say what became of the others."""
    kept = next((number for number in owners if held[number][name].places), owners[0])
    for number in owners:
        if number == kept:
            continue
        one = held[number][name]
        same.rows[number].update(one.places)
        same.recordings[number].add(name)
        if sorted(one.said) == sorted(held[kept][name].said):
            same.identical += 1
            continue
        which = ", ".join(parts[kept].inputs)
        words = f"the recording of this id from {which} is kept, this is another one; --prefix"
        same.rejects.append(
            {
                "id": name,
                "recording": name,
                "stage": INGEST,
                "reason": DUPLICATE_ID,
                "detail": f"{words} keeps both",
                "source": ", ".join(parts[number].inputs),
            }
        )
