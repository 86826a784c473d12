"""Batches as flat arrays: samples batch after batch, and where each batch begins."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wavemill.sharding.buckets import Floats, Ints

BLOCK = 1 << 22
"""Samples gathered at a time: memory stays flat."""


@dataclass(frozen=True, kw_only=True)
class Padding:
    """Shares of padded batches that are padding, 0 to 1."""

    input: float
    tokens: float


def offsets_of(sizes: Ints) -> Ints:
    """Return where batches of these sizes begin, and where the last one ends, [B + 1]."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def rearrange(order: Ints, sizes: Ints, batches: Ints) -> tuple[Ints, Ints]:
    """Put batches into another order.

    Args:
        order: samples, batch after batch, [N].
        sizes: samples of each batch, [B].
        batches: which batches to take, in which order; any number of them, [C].

    Returns:
        Samples, batch after batch, and where batches begin in them, [C + 1].

    """
    starts = offsets_of(sizes)[:-1][batches]
    offsets = offsets_of(sizes[batches])
    moved = np.empty(offsets[-1], order.dtype)
    for first, last in _blocks(offsets):
        begin, end = offsets[first], offsets[last]
        shifts = np.repeat(starts[first:last] - offsets[first:last],
                           np.diff(offsets[first : last + 1]))  # fmt: skip
        moved[begin:end] = order[shifts + np.arange(begin, end)]
    return moved, offsets


def longest_of(seconds: Floats, tokens: Ints, order: Ints, offsets: Ints) -> tuple[Floats, Ints]:
    """Return the longest duration and the most tokens of each batch, [B]."""
    max_seconds, max_tokens = np.zeros(len(offsets) - 1), np.zeros(len(offsets) - 1, np.int64)
    for first, last in _blocks(offsets):
        members = order[offsets[first] : offsets[last]]
        starts = offsets[first:last] - offsets[first]
        max_seconds[first:last] = np.maximum.reduceat(seconds[members], starts)
        max_tokens[first:last] = np.maximum.reduceat(tokens[members], starts)
    return max_seconds, max_tokens


def padding_of(
    seconds: Floats, tokens: Ints, sizes: Ints, max_seconds: Floats, max_tokens: Ints
) -> Padding:
    """Measure what padding every batch to its longest sample adds.

    Args:
        seconds: durations of all samples, [N].
        tokens: their lengths in tokens, [N].
        sizes: samples of each batch, [B].
        max_seconds: the longest duration of each batch, [B].
        max_tokens: the most tokens of each batch, [B].

    """
    return Padding(
        input=_added(float(seconds.sum()), float((sizes * max_seconds).sum())),
        # Not in integers: their sum may be larger than an integer of numpy's.
        tokens=_added(float(tokens.sum(dtype=np.float64)),
                      float((sizes * max_tokens.astype(np.float64)).sum())),
    )  # fmt: skip


def _added(real: float, padded: float) -> float:
    return max(1 - real / padded, 0.0) if padded else 0.0


def _blocks(offsets: Ints) -> Iterator[tuple[int, int]]:
    """Yield runs of batches that hold about `BLOCK` samples, one batch at least."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + BLOCK, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last
