"""Packing samples into batches of like samples: strips by duration, pools by tokens, a deal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.sharding.buckets import Floats, Ints
from wavemill.sharding.budget import Budget
from wavemill.sharding.cuts import cut
from wavemill.sharding.draw import Keys, mix, uniform

FULL = 0.98
"""Strips end, if they can, where batches of their longest samples use this much of the budget."""
GOLDEN = (5**0.5 - 1) / 2
"""Its multiples modulo 1 are spread evenly, however many there are."""
TIES, DEAL, STRIPS, POOLS = range(4)
"""What is drawn; these keep one draw from another."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How to pack."""

    budget: Budget
    pool: float
    """Batches' worth of samples that are dealt out together, 1 or more."""
    strips: float
    """Parts by duration, about; 1 or more."""
    seed: int
    epoch: int


def pack(
    seconds: Floats, tokens: Ints, keys: Keys, by_length: Ints, packing: Packing
) -> tuple[Ints, Ints]:
    """Pack samples into batches.

    Args:
        seconds: durations, [N].
        tokens: lengths in tokens, [N].
        keys: a number of its own for each sample, [N].
        by_length: positions of samples, sorted by duration, [N]; equal ones may change places.
        packing: how.

    Returns:
        Positions of samples, batch after batch, [N], and batches' sizes, [B].

    """
    order, sizes = [by_length[:0]], [by_length[:0]]
    over = by_length[:0]
    for number, (start, end) in enumerate(_strips(seconds, tokens, keys, by_length, packing)):
        strip = np.concatenate([over, by_length[start:end]])
        longest = float(seconds[by_length[end - 1]])
        strip, made = _pack_strip(strip, longest, seconds, tokens, keys, packing, number)
        used = int(made.sum())
        if end == len(by_length) and used < len(strip):
            made, used = np.append(made, len(strip) - used), len(strip)
        order.append(strip[:used])
        sizes.append(made)
        # The fewest tokens of all; in the next strip they are not much too short.
        over = strip[used:]
    return np.concatenate(order), np.concatenate(sizes)


def _strips(
    seconds: Floats, tokens: Ints, keys: Keys, by_length: Ints, packing: Packing
) -> Iterator[tuple[int, int]]:
    """Yield where strips begin and end in `by_length`."""
    ordered = seconds[by_length]
    budget = packing.budget
    usual = int(np.median(tokens)) if budget.counts_tokens and len(tokens) else 0

    def fills(longest: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        counts = budget.capacity(longest, usual)
        return budget.fullness(counts, longest, np.full(counts.shape, usual)) >= FULL

    dice = np.random.Generator(np.random.PCG64([packing.seed, STRIPS]))
    phase = (dice.random() + packing.epoch * GOLDEN) % 1
    start = 0
    for end in np.append(cut(ordered, packing.strips, phase, fills), len(ordered)).tolist():
        if end < len(ordered) and not budget.counts_tokens:
            # Whole batches; the longest of what is over begin the next strip.
            end -= (end - start) % budget.capacity_of(float(ordered[end - 1]), 0)  # noqa: PLW2901
        if end > start:
            _shuffle_equals(ordered, by_length, end, keys, packing)
            yield start, end
            start = end


def _shuffle_equals(
    ordered: Floats, by_length: Ints, end: int, keys: Keys, packing: Packing
) -> None:
    """Let a draw say which of equal durations fall into which of two strips."""
    if end == len(ordered) or ordered[end - 1] != ordered[end]:
        return
    first, last = (int(np.searchsorted(ordered, ordered[end], side)) for side in ("left", "right"))
    equal = by_length[first:last]
    draws = uniform(keys[equal], packing.seed, packing.epoch, TIES)
    by_length[first:last] = equal[np.argsort(draws, kind="stable")]


def _pack_strip(
    strip: Ints,
    longest: float,
    seconds: Floats,
    tokens: Ints,
    keys: Keys,
    packing: Packing,
    number: int,
) -> tuple[Ints, Ints]:
    """Deal a strip out in batches; return its samples batch after batch, and the batches' sizes.

    Samples with the fewest tokens may be left over at the end, less than a batch of them.
    """
    own = mix(mix(keys[strip], packing.seed), packing.epoch)
    by_tokens = np.lexsort((uniform(own, TIES), -tokens[strip]))
    strip, own = strip[by_tokens], own[by_tokens]
    most = tokens[strip]
    # From the most tokens down: what a pool's first sample allows suits all of the pool.
    capacity = packing.budget.capacity(longest, most)
    parts = max(float((1 / capacity).sum()) / packing.pool, 1.0)
    dice = np.random.Generator(np.random.PCG64([packing.seed, packing.epoch, POOLS, number]))
    ends = [*cut(-most, parts, dice.random()).tolist(), len(strip)]
    sizes, batches = _fill_pools(packing.budget, seconds[strip], most, ends)
    pool = np.repeat(np.arange(len(sizes)), sizes * batches)
    used = len(pool)
    dealt = np.argsort(pool + uniform(own[:used], DEAL), kind="stable")
    return np.concatenate([strip[:used][dealt], strip[used:]]), np.repeat(sizes, batches)


def _fill_pools(
    budget: Budget, seconds: Floats, tokens: Ints, ends: list[int]
) -> tuple[Ints, Ints]:
    """Let pools end after whole batches; return each one's batch size, and how many it has."""
    sizes, batches = [], []
    start = 0
    for end in ends:
        if start >= end:
            continue
        left = len(seconds) - start
        # Of a pool's own longest sample: it may be far shorter than the strip's.
        longest, beyond = 0.0, float(seconds[start:end].max())
        while beyond > longest:
            longest = beyond
            size = budget.capacity_of(longest, int(tokens[start]))
            count = left // size
            if end < len(seconds):
                count = min(round((end - start) / size), count)
            beyond = float(seconds[end : start + size * count].max(initial=0.0))
        if count > 0:
            sizes.append(size)
            batches.append(count)
            start += size * count
    return np.array(sizes, np.int64), np.array(batches, np.int64)
