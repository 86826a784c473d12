"""What the measures of a corpus's segments are, and which of them filters leave out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.columns import Column, on_disk, slices, sorted_pieces
from wavemill.pipelines.filters import FILTERS, Bounds, Filter, asked
from wavemill.pipelines.leave_out import Why, names_of, rows_of
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.pipelines.survey import Survey, SurveyConfig

STAGE = "filter"
PERCENTILES = (1, 5, 50, 95, 99)
FILTERED_AT_ONCE = 1 << 15
"""Samples; of each that is left out a row is held in memory."""
EVERYTHING = slice(None)


def values_of(
    found: Survey, measure: str, part: slice = EVERYTHING
) -> npt.NDArray[np.floating[Any]]:
    """Return a measure of each sample of a part, [N]; NaN where there is none."""
    if measure == "seconds":
        return found.lengths.seconds[part]
    if measure == "characters_per_second":
        return found.measures["num_characters"][part] / found.lengths.seconds[part]
    return found.measures[measure][part]


def drop_filtered(
    found: Survey, units: Sequence[str], config: SurveyConfig, bounds: Bounds
) -> Survey:
    """Leave out what filters do not let pass; the first of them that does not speaks."""
    chosen = list(asked(bounds))
    if not chosen:
        return found
    kept = Column(np.bool_)
    rejects = RejectRows(found.rejects)
    for part in slices(len(found.lengths), FILTERED_AT_ONCE):
        why: dict[int, Why] = {}
        for one, bound in chosen:
            values = values_of(found, one.measure, part)
            for place in np.flatnonzero(one.fails(values, bound)).tolist():
                detail = one.detail(float(values[place]), bound)
                about = Why(stage=STAGE, reason=one.reason, detail=detail)
                why.setdefault(part.start + place, about)
        kept.add([position not in why for position in range(part.start, part.stop)])
        rejects.extend(rows_of(names_of(found, units, config, why), why))
    return replace(found.select(kept.array()), rejects=rejects)


def quality(found: Survey) -> dict[str, Any]:
    """Describe the samples: percentiles of each measure, and what typical bounds would leave out.

    A measure that no sample has is left out.
    """
    measures = dict.fromkeys(one.measure for one in FILTERS)
    described = {name: _describe(name, found) for name in measures}
    return {name: about for name, about in described.items() if about["samples"]}


def _describe(name: str, found: Survey) -> dict[str, Any]:
    filters = [one for one in FILTERS if one.measure == name]
    would_drop = dict.fromkeys(filters, 0)

    def present() -> Iterator[npt.NDArray[np.floating[Any]]]:
        for part in slices(len(found.lengths)):
            values = values_of(found, name, part)
            values = values[~np.isnan(values)]
            for one in filters:
                would_drop[one] += _count(one, values)
            yield values

    ordered = on_disk(sorted_pieces(present()), np.float64)
    if not len(ordered):
        return {"samples": 0}
    return {
        "samples": len(ordered),
        **{f"p{q}": round(_percentile(ordered, q), 4) for q in PERCENTILES},
        "would_drop": {
            one.name: {"bound": one.typical, "samples": count} for one, count in would_drop.items()
        },
    }


def _percentile(ordered: npt.NDArray[np.float64], q: float) -> float:
    """Return a percentile of sorted values as numpy does, which would copy them all."""
    place = (len(ordered) - 1) * q / 100
    first = int(place)
    near = np.array(ordered[first : first + 2])
    return float(np.quantile(near, place - first))


def _count(one: Filter, values: npt.NDArray[np.floating[Any]]) -> int:
    return int(np.count_nonzero(one.fails(values, one.typical)))
