"""Recordings of one id in several parts of a dataset: one is kept, nothing is lost in silence.

Only datasets that are merged can hold such: `add` compares ids before it reads audio.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest, digest_number
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
    ingest: list[set[int]]
    """Places of rejects of ingest that an earlier part has, too; by part."""
    identical: list[int]
    """How many recordings of a part an earlier one holds alike; by part."""
    lost: list[int]
    """How many of the recordings left out came to no sample; by part."""
    rejects: list[RejectRow] = field(default_factory=list)

    def kept(self, number: int, rejects: Iterable[RejectRow]) -> Iterator[RejectRow]:
        """Yield the rejects of a part's units that stay."""
        return (row for row in rejects if row["recording"] not in self.recordings[number])

    def carried(self, number: int, part: Part) -> Iterator[RejectRow]:
        """Yield the rejects that no unit of a part holds, and that stay."""
        return (
            row
            for place, row in enumerate(part.rejects)
            if (
                place not in self.ingest[number]
                if row["stage"] == INGEST
                else row["recording"] not in self.recordings[number]
            )
        )


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
        identical=[0] * len(parts),
        lost=[0] * len(parts),
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
    """Leave out rejects of ingest that earlier parts have: the same row, maybe on another line."""
    seen: Counter[tuple[str, ...]] = Counter()
    for number, part in enumerate(parts):
        own: Counter[tuple[str, ...]] = Counter()
        for place, row in enumerate(part.rejects):
            if row["stage"] == INGEST:
                key = row["id"], row["reason"], row["source"]
                own[key] += 1
                if own[key] <= seen[key]:
                    same.ingest[number].add(place)
        same.identical[number] += len(same.ingest[number])
        seen |= own


def _key(name: str) -> int:
    return digest_number(name)


def _rejected(part: Part, found: Survey) -> Iterator[RejectRow]:
    yield from (row for row in chain(part.rejects, found.rejects) if row["stage"] != INGEST)


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
    whole = len(held[kept][name].said) == len(held[kept][name].places)
    for number in owners:
        one = held[number][name]
        if number == kept:
            continue
        if whole and not one.places:  # it came to nothing there, for reasons that still hold
            whole = False  # for one: rejects of another would be counted with it
            continue
        same.rows[number].update(one.places)
        same.recordings[number].add(name)
        same.lost[number] += not one.places
        if sorted(one.said) == sorted(held[kept][name].said):
            same.identical[number] += 1
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
