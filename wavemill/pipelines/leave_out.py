"""Leave samples out that came through: copies, and what filters do not let pass."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from wavemill.pipelines.reject_rows import RejectRow, RejectRows
from wavemill.pipelines.survey import Survey, SurveyConfig
from wavemill.spool import UnitReader, unit_url

Names = dict[str, str]
"""The `id` and `recording_id` of a sample."""


@dataclass(frozen=True, kw_only=True)
class Why:
    """Why a sample is left out."""

    stage: str
    reason: str
    detail: str


def names_of(
    found: Survey, units: Sequence[str], config: SurveyConfig, positions: Iterable[int]
) -> dict[int, Names]:
    """Read the ids of the samples at some positions of a survey, a unit at a time."""
    lengths = found.lengths
    ordered = sorted(set(positions), key=lambda position: (int(lengths.unit[position]), position))
    names = {}
    for number, group in groupby(ordered, key=lambda position: int(lengths.unit[position])):
        reader = UnitReader(unit_url(config.spool, config.segments, units[number]))
        for position in group:
            row = reader.row(int(lengths.row[position]), ["id", "recording_id"])
            names[position] = row
    return names


def leave_out(found: Survey, names: Mapping[int, Names], why: Mapping[int, Why]) -> Survey:
    """Take the samples at the positions in `why` out of a survey; they become rejects."""
    if not why:
        return found
    kept = np.ones(len(found.lengths), np.bool_)
    kept[list(why)] = False
    rejects = RejectRows(found.rejects)
    rejects.extend(rows_of(names, why))
    return replace(found.select(kept), rejects=rejects)


def rows_of(names: Mapping[int, Names], why: Mapping[int, Why]) -> Iterator[RejectRow]:
    """Yield what is said of the samples at the positions in `why`, in their order."""
    for position, about in sorted(why.items()):
        yield {
            "id": names[position]["id"],
            "recording": names[position]["recording_id"],
            "stage": about.stage,
            "reason": about.reason,
            "detail": about.detail,
            "source": "",
        }
