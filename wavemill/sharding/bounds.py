"""The bounds of buckets for a corpus that outgrows memory: what `find_bounds` gives, by pieces."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from wavemill.columns import AT_ONCE, Array, Pieces, on_disk, pieces_of, slices, sorted_pieces
from wavemill.sharding.buckets import Bounds, Floats, Ints, bounds_of

_TOKEN_BITS = 32
"""Beside a bucket's number in a value that is sorted; the spool holds tokens as int32."""


def bounds_by_pieces(
    seconds: Floats, tokens: Ints, num_buckets: int, num_sub_buckets: int, at_once: int = AT_ONCE
) -> Bounds:
    """Cut a corpus as `find_bounds` does, to the bit, with some of it in memory at a time.

    Args:
        seconds: durations in any order, [N], maybe mapped.
        tokens: lengths in tokens, [N], each below 2**32.
        num_buckets: cuts by duration, 1 or more.
        num_sub_buckets: cuts of each of them by tokens, 1 or more.
        at_once: how many values may be sorted in memory.

    """
    ordered = on_disk(sorted_pieces(pieces_of(seconds), at_once), np.float64)
    bounds = mass_bounds(partial(pieces_of, ordered), num_buckets)
    del ordered
    keys = on_disk(sorted_pieces(_keys(seconds, tokens, bounds), at_once), np.int64)
    edges = np.searchsorted(keys, np.arange(len(bounds) + 1) << _TOKEN_BITS).tolist()
    parts = [
        mass_bounds(partial(_tokens, keys[start:end]), num_sub_buckets)
        for start, end in pairwise(edges)
    ]
    return bounds_of(bounds, parts)


def _keys(seconds: Floats, tokens: Ints, bounds: Floats) -> Iterator[Array]:
    """Yield numbers that sort by the bucket of the duration, then by tokens."""
    for part in slices(len(seconds)):
        coarse = np.searchsorted(bounds, seconds[part])
        yield (coarse << _TOKEN_BITS) | tokens[part]


def _tokens(keys: Array) -> Iterator[Array]:
    return (piece & ((1 << _TOKEN_BITS) - 1) for piece in pieces_of(keys))


def mass_bounds(pieces: Pieces, parts: int) -> Array:
    """Return what `equal_mass_bounds` does of sorted values that come in pieces."""
    total, last = 0.0, np.zeros(0)
    for piece in pieces():
        if len(piece):
            total, last = float(_mass(total, piece)[-1]), piece[-1:]
    if not len(last) or total <= 0:
        return last
    goals = total * np.arange(1, parts) / parts
    cuts = []
    mass = 0.0
    for piece in pieces():
        if len(piece) and len(goals):
            masses = _mass(mass, piece)
            mass = float(masses[-1])
            here = goals[goals <= mass]
            cuts.append(piece[np.searchsorted(masses, here, side="left")])
            goals = goals[len(here) :]
    return np.unique(np.concatenate([*cuts, last]))


def _mass(before: float, piece: Array) -> Floats:
    """Add values up one by one after what came before: sums round as those of all at once do."""
    return np.cumsum(np.concatenate([np.array([before]), piece]), dtype=np.float64)[1:]
