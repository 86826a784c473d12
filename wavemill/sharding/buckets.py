"""Two-dimensional buckets: by duration, then by tokens, each cut into parts of equal mass.

Equal mass, not equal count: a bucket of short clips holds many, one of long clips few, and each
takes about as long to train on. Bounds are values that occur, so every sample has a bucket and none
is dropped. The idea is that of "2D bucketing" (https://arxiv.org/abs/2503.05931), whose public code
drops what fits no bin.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The buckets of a corpus, in the order of their bounds."""

    buckets: list[Bucket]
    seconds: Floats
    """The duration bounds, each once."""
    starts: Ints
    """Where the buckets of each of these begin in `buckets`, and where the last end."""
    tokens: Ints
    """The token bound of each bucket."""

    def place(self, seconds: Floats, tokens: Ints) -> Ints:
        """Return for each pair of lengths the first bucket whose bounds are not below them, [N].

        Of the buckets of its duration, that is; where it has more tokens than all of these hold,
        the last.
        """
        where = np.zeros(len(seconds), np.int64)
        coarse = np.minimum(np.searchsorted(self.seconds, seconds), len(self.seconds) - 1)
        order = np.argsort(coarse, kind="stable")
        edges = np.searchsorted(coarse[order], np.arange(len(self.seconds) + 1))
        for number in range(len(self.seconds)):
            members = order[edges[number] : edges[number + 1]]
            first, last = self.starts[number], self.starts[number + 1]
            fine = np.searchsorted(self.tokens[first:last], tokens[members], side="left")
            where[members] = first + np.minimum(fine, last - first - 1)
        return where


def find_bounds(seconds: Floats, tokens: Ints, num_buckets: int, num_sub_buckets: int) -> Bounds:
    """Cut a corpus into at most `num_buckets * num_sub_buckets` buckets, none of them empty.

    Args:
        seconds: durations, sorted, [N].
        tokens: lengths in tokens in the same order, [N]; all 0 where nothing is tokenized.
        num_buckets: cuts by duration, 1 or more.
        num_sub_buckets: cuts of each of them by tokens, 1 or more.

    """
    bounds = equal_mass_bounds(seconds, num_buckets)
    edges = np.append(0, np.searchsorted(seconds, bounds, side="right"))
    parts = [
        equal_mass_bounds(np.sort(tokens[start:end]), num_sub_buckets)
        for start, end in itertools.pairwise(edges.tolist())
    ]
    return bounds_of(bounds, parts)


def bounds_of(bounds: Floats, parts: Sequence[Ints]) -> Bounds:
    """Name the buckets of some duration bounds, each with the token bounds below it."""
    buckets = [
        Bucket(name="", max_seconds=float(bound), max_tokens=int(sub_bound))
        for bound, part in zip(bounds, parts, strict=True)
        for sub_bound in part
    ]
    return Bounds(
        buckets=[replace(bucket, name=f"bucket-{n:02d}") for n, bucket in enumerate(buckets)],
        seconds=bounds,
        starts=np.cumsum([0, *map(len, parts)]),
        tokens=np.array([bucket.max_tokens for bucket in buckets], np.int64),
    )


def assign_buckets(
    seconds: Floats, tokens: Ints, num_buckets: int, num_sub_buckets: int
) -> tuple[list[Bucket], Ints]:
    """Sort samples into the buckets of `find_bounds`.

    Args:
        seconds: durations, [N].
        tokens: lengths in tokens, [N].
        num_buckets: cuts by duration, 1 or more.
        num_sub_buckets: cuts of each of them by tokens, 1 or more.

    Returns:
        The buckets, none of them empty, in the order of their bounds, and each sample's, [N].

    """
    order = np.argsort(seconds)
    bounds = find_bounds(seconds[order], tokens[order], num_buckets, num_sub_buckets)
    return bounds.buckets, bounds.place(seconds, tokens)


def equal_mass_bounds(ordered: npt.NDArray[Any], parts: int) -> npt.NDArray[Any]:
    """Return at most `parts` inclusive upper bounds that cut the sum of sorted values evenly.

    The bounds rise strictly and end with the largest value. Each is a value that occurs, so no
    part is empty; fewer come back where many values are equal.
    """
    mass = np.cumsum(ordered, dtype=np.float64)
    if not len(ordered) or mass[-1] <= 0:
        return ordered[-1:]
    goals = mass[-1] * np.arange(1, parts) / parts
    cuts = ordered[np.minimum(np.searchsorted(mass, goals, side="left"), len(ordered) - 1)]
    return np.unique(np.append(cuts, ordered[-1]))
