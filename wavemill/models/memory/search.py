"""The largest batch of each bucket that fits, by trying: double, halve, bisect.

After the batch-size search of https://arxiv.org/abs/2503.05931: buckets from the largest down, the
first from 32 samples, each next one from twice what the one before took. Memory grows nearly in
proportion to a batch, so where two sizes' bytes are known the next to be tried lies on their line.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from wavemill.sharding.buckets import Bucket

FIRST = 32
"""Samples that are tried first."""
TOLERANCE = 0.05
"""A size is taken when one that is larger by this share of it does not fit."""
AIMS = 3
"""How often in a bucket the line is believed; then it is bisected."""
MAX_SIZE = 1 << 16
"""No batch is larger, however small its samples."""

Measure = Callable[[int, int], int | None]
"""Bytes that a step of a bucket (its position) and a size takes; None where memory ran out."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What was found for a bucket."""

    size: int
    """Samples; 0 where not even one fits."""
    num_bytes: int
    """That a step of so many was measured to take."""


def find_sizes(
    buckets: Sequence[Bucket], measure: Measure, limit: int, show: Callable[[int], None]
) -> list[Fit]:
    """Find the largest batch of each bucket, to `TOLERANCE`.

    Every size was tried in its bucket and took no more than the limit. A bucket whose bounds are
    within another's has at least as large a batch.

    Args:
        buckets: in any order.
        measure: tries a step; it must not take fewer bytes for more samples.
        limit: bytes that a step may take.
        show: told how many buckets are done.

    Returns:
        What fits, in the order of the buckets. Where not one sample fits in a bucket, the search
        ends: its fit and those of buckets not yet searched have size 0.

    """
    found: dict[int, Fit] = {}
    tried: dict[tuple[int, int], int | None] = {}

    def take(number: int, size: int) -> int | None:
        """Try each step once."""
        if (number, size) not in tried:
            tried[number, size] = measure(number, size)
        return tried[number, size]

    start = FIRST
    for number in sorted(range(len(buckets)), key=lambda n: _order(buckets[n]), reverse=True):
        size = _largest(partial(take, number), limit, start)
        if not size:
            break
        found[number] = Fit(size=size, num_bytes=take(number, size) or 0)
        start = min(2 * size, MAX_SIZE)
        show(len(found))
    nothing = Fit(size=0, num_bytes=0)
    if len(found) < len(buckets):
        return [found.get(number, nothing) for number in range(len(buckets))]
    return [_level(number, buckets, found, take) for number in range(len(buckets))]


def _order(bucket: Bucket) -> tuple[float, int]:
    return bucket.max_seconds, bucket.max_tokens


def _largest(take: Callable[[int], int | None], limit: int, start: int) -> int:
    """Return the largest size that fits, to `TOLERANCE`; 0 where none does."""
    low, high, size, aims = 0, MAX_SIZE + 1, start, AIMS
    known: list[tuple[int, int]] = []
    while high - low > max(1, TOLERANCE * high if low else 0):
        num_bytes = take(size)
        if num_bytes is not None:
            known.append((size, num_bytes))
        if num_bytes is not None and num_bytes <= limit:
            low = size
        else:
            high = size
        aim = _aim(known, limit) if aims else None
        if aim is not None:
            aims -= 1
            size = min(max(aim, low + 1), high - 1)
        elif low and high > MAX_SIZE:
            size = min(2 * low, MAX_SIZE)
        else:
            size = (low + high) // 2
    return low


def _aim(known: Sequence[tuple[int, int]], limit: int) -> int | None:
    """Return the size that takes the limit if bytes grow as from one known size to another."""
    if len(known) < 2:
        return None
    (size, num_bytes), (other, other_bytes) = sorted(known, key=lambda pair: abs(pair[1] - limit))[
        :2
    ]
    slope = (other_bytes - num_bytes) / (other - size)
    return math.floor(size + (limit - num_bytes) / slope) if slope > 0 else None


def _level(
    number: int,
    buckets: Sequence[Bucket],
    found: dict[int, Fit],
    take: Callable[[int, int], int | None],
) -> Fit:
    """Lower a bucket's batch to that of any bucket within its bounds.

    Bisecting to a tolerance leaves such differences: both answers fit, the smaller fits in both.
    """
    outer = buckets[number]
    size = min(
        fit.size
        for inner, fit in found.items()
        if buckets[inner].max_seconds <= outer.max_seconds
        and buckets[inner].max_tokens <= outer.max_tokens
    )
    return Fit(size=size, num_bytes=take(number, size) or 0)
