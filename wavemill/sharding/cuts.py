"""Where to cut sorted values, so that padding every part to its largest value adds least."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.sharding.buckets import Floats, Ints

MAX_KNOTS = 1 << 17
"""Of more values than twice this, only so many decide where cuts may lie."""


Liked = Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]


def cut(values: npt.NDArray[Any], parts: float, phase: float, liked: Liked | None = None) -> Ints:
    """Cut sorted values into about `parts` parts, and return where parts but the first begin.

    Padding a part costs its number of values times its width. For a given number of parts the sum
    is least where a part's width goes as one over the square root of the values' density: so cuts
    lie at even steps of the integral of that root. No gap between two values counts for more than a
    part, so one value far from the others is a part of its own and takes no cuts from them.

    Args:
        values: sorted, [N]; of equal ones all lie in one part.
        parts: how many, 1 or more; need not be whole.
        phase: where the first cut lies, 0 up to 1.
        liked: says which values a part had better end with; a cut moves by up to half a part to
            the nearest of them.

    Returns:
        Positions in `values` that rise strictly, none 0.

    """
    knots = _knots(values)
    if len(knots) < 2:
        return knots[:0]
    place = _place(knots, values[knots].astype(np.float64), parts)
    chosen = np.flatnonzero(np.diff(np.floor(place + phase))) + 1
    if liked is not None and len(chosen):
        chosen = _move(chosen, place, np.flatnonzero(liked(values[knots[1:] - 1])) + 1)
    # A part begins with the first of equal values, wherever the knot lies among them.
    starts = np.unique(np.searchsorted(values, values[knots[chosen]], side="left"))
    return starts[starts > 0]


def _knots(values: npt.NDArray[Any]) -> Ints:
    """Choose positions whose values differ: all, or at even steps with all of the outermost."""
    count = len(values)
    step = count // MAX_KNOTS
    edge = 2 * step if step > 1 else count
    inner = np.arange(edge, count - edge, max(step, 1))
    outer = np.arange(max(count - edge, edge), count)
    knots: Ints = np.concatenate([np.arange(edge), inner, outer])
    heights = values[knots]
    new = np.concatenate([np.ones(min(count, 1), np.bool_), heights[1:] != heights[:-1]])
    return np.extract(new, knots)


def _place(knots: Ints, heights: Floats, parts: float) -> Floats:
    """Say in which part each knot lies, as a number that grows to `parts`."""
    steps = np.sqrt(np.diff(knots) * np.diff(heights))
    for _ in range(4):
        steps = np.minimum(steps, steps.sum() / parts)
    return np.concatenate([[0.0], np.cumsum(steps) * (parts / steps.sum())])


def _move(chosen: Ints, place: Floats, liked: Ints) -> Ints:
    """Move cuts to the nearest ones that are liked, if there are any within half a part."""
    if not len(liked):
        return chosen
    after = np.minimum(np.searchsorted(liked, chosen), len(liked) - 1)
    options = np.stack([liked[after], liked[np.maximum(after - 1, 0)]])
    away = np.abs(place[options] - place[chosen])
    nearest = options[np.argmin(away, axis=0), np.arange(len(chosen))]
    return np.unique(np.where(away.min(axis=0) <= 0.5, nearest, chosen))
