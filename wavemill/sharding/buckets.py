"""Two-dimensional buckets: by duration, then by tokens, each cut into parts of equal mass.

Equal mass, not equal count: a bucket of short clips holds many, one of long clips few, and each
takes about as long to train on. Bounds are values that occur, so every sample has a bucket and none
is dropped. The idea is that of "2D bucketing" (https://arxiv.org/abs/2503.05931), whose public code
drops what fits no bin.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_BUCKETS = 10_000
"""Of either kind; more would leave next to nothing in each."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The upper bounds of a bucket, both inclusive."""

    name: str
    max_seconds: float
    max_tokens: int


def assign_buckets(
    seconds: Floats, tokens: Ints, num_buckets: int, num_sub_buckets: int
) -> tuple[list[Bucket], Ints]:
    """Sort samples into at most `num_buckets * num_sub_buckets` buckets.

    Args:
        seconds: durations, [N].
        tokens: lengths in tokens, [N]; all 0 where nothing is tokenized.
        num_buckets: cuts by duration, 1 or more.
        num_sub_buckets: cuts of each of them by tokens, 1 or more.

    Returns:
        The buckets, none of them empty, in the order of their bounds, and each sample's, [N].

    """
    buckets: list[Bucket] = []
    where = np.zeros(len(seconds), np.int64)
    bounds = equal_mass_bounds(seconds, num_buckets)
    coarse = np.searchsorted(bounds, seconds, side="left")
    order = np.argsort(coarse, kind="stable")
    edges = np.searchsorted(coarse[order], np.arange(len(bounds) + 1))
    for number, bound in enumerate(bounds):
        members = order[edges[number] : edges[number + 1]]
        sub_bounds = equal_mass_bounds(tokens[members], num_sub_buckets)
        where[members] = len(buckets) + np.searchsorted(sub_bounds, tokens[members], side="left")
        buckets += [
            Bucket(name=f"bucket-{len(buckets) + sub:02d}", max_seconds=float(bound),
                   max_tokens=int(sub_bound))
            for sub, sub_bound in enumerate(sub_bounds)
        ]  # fmt: skip
    return buckets, where


def equal_mass_bounds(values: npt.NDArray[Any], parts: int) -> npt.NDArray[Any]:
    """Return at most `parts` inclusive upper bounds that cut the sum of `values` evenly.

    The bounds rise strictly and end with the largest value. Each is a value that occurs, so no
    part is empty; fewer come back where many values are equal.
    """
    ordered = np.sort(values)
    mass = np.cumsum(ordered, dtype=np.float64)
    if not len(ordered) or mass[-1] <= 0:
        return ordered[-1:]
    goals = mass[-1] * np.arange(1, parts) / parts
    cuts = ordered[np.minimum(np.searchsorted(mass, goals, side="left"), len(ordered) - 1)]
    return np.unique(np.append(cuts, ordered[-1]))
