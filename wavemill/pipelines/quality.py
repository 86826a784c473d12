"""What the measures of a corpus's segments are, and which of them filters leave out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.pipelines.filters import FILTERS, Bounds, Filter, asked
from wavemill.pipelines.leave_out import Why, leave_out, names_of
from wavemill.pipelines.survey import Survey, SurveyConfig

STAGE = "filter"
PERCENTILES = (1, 5, 50, 95, 99)


def values_of(found: Survey, measure: str) -> npt.NDArray[np.floating[Any]]:
    """Return a measure of each sample, [N]; NaN where there is none."""
    if measure == "seconds":
        return found.lengths.seconds
    if measure == "characters_per_second":
        return found.measures["num_characters"] / found.lengths.seconds
    return found.measures[measure]


def drop_filtered(
    found: Survey, units: Sequence[str], config: SurveyConfig, bounds: Bounds
) -> Survey:
    """Leave out what filters do not let pass; the first of them that does not speaks."""
    why: dict[int, Why] = {}
    for one, bound in asked(bounds):
        values = values_of(found, one.measure)
        for position in np.flatnonzero(one.fails(values, bound)).tolist():
            detail = one.detail(float(values[position]), bound)
            why.setdefault(position, Why(stage=STAGE, reason=one.reason, detail=detail))
    return leave_out(found, names_of(found, units, config, why), why)


def quality(found: Survey) -> dict[str, Any]:
    """Describe the samples: percentiles of each measure, and what typical bounds would leave out.

    A measure that no sample has is left out.
    """
    measures = dict.fromkeys(one.measure for one in FILTERS)
    described = {name: _describe(name, values_of(found, name)) for name in measures}
    return {name: about for name, about in described.items() if about["samples"]}


def _describe(name: str, values: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    values = values[~np.isnan(values)]
    if not len(values):
        return {"samples": 0}
    points = np.percentile(values, PERCENTILES).tolist()
    return {
        "samples": len(values),
        **{f"p{q}": round(point, 4) for q, point in zip(PERCENTILES, points, strict=True)},
        "would_drop": {
            one.name: {"bound": one.typical, "samples": _count(one, values)}
            for one in FILTERS
            if one.measure == name
        },
    }


def _count(one: Filter, values: npt.NDArray[np.floating[Any]]) -> int:
    return int(np.count_nonzero(one.fails(values, one.typical)))
