"""The passes of `syllables` over features, compiled.

Arrays: x is the features [T, D], squares and norms are [T], all float32. `sums` is for scratch, [3,
D] float32, with rows LEFT, RIGHT and CONTRAST; so is `bounds`, [T + 1] int64. Into `spans`, [T, 2]
int64, go the first frame of each span and the one after its last.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt

from wavemill.tokenizers.compiled import compiled_sums

EPSILON = 1e-8
"""Added to squared norms, as published, so that frames of zeros can be compared."""
LEFT, RIGHT, CONTRAST = 0, 1, 2

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@compiled_sums
def fill_spans(
    x: Floats,
    squares: Floats,
    norms: Floats,
    norm_threshold: float,
    merge_threshold: float,
    sums: Floats,
    bounds: Ints,
    spans: Ints,
) -> int:
    """Find the spans of all runs; return how many."""
    count = at = 0
    while at < len(x):
        first = at
        while at < len(x) and norms[at] >= norm_threshold:
            at += 1
        if at > first:
            cuts = _grow(x, squares, norms, first, at, merge_threshold, sums, bounds)
            count = _settle(x, norms, merge_threshold, sums, bounds, cuts, spans, count)
        at += 1
    return count


@compiled_sums
def _grow(
    x: Floats,
    squares: Floats,
    norms: Floats,
    first: int,
    last: int,
    threshold: float,
    sums: Floats,
    bounds: Ints,
) -> int:
    """Cut a run where a frame is unlike the running mean before it; return the number of spans."""
    cuts = 0
    bounds[0] = first
    # The mean is LEFT / seen. Kept are the sum and its square: |a + b|^2 = |a|^2 + 2ab + |b|^2.
    _sum(x, first, first + 1, sums, LEFT)
    power = np.float64(squares[first])
    for at in range(first + 1, last):
        seen = at - first
        product = np.float64(_dot(sums, LEFT, x, at))
        if product >= threshold * norms[at] * sqrt(power + EPSILON * seen * seen):
            for d in range(x.shape[1]):
                sums[LEFT, d] += x[at, d]
            power += 2 * product + squares[at]
        else:
            weight = np.float32(seen + 1)
            for d in range(x.shape[1]):
                sums[LEFT, d] = x[at, d] * weight
            power = np.float64(squares[at]) * weight * weight
            cuts += 1
            bounds[cuts] = at
    bounds[cuts + 1] = last
    return cuts + 1


@compiled_sums
def _settle(
    x: Floats,
    norms: Floats,
    threshold: float,
    sums: Floats,
    bounds: Ints,
    cuts: int,
    spans: Ints,
    count: int,
) -> int:
    """Join a run's neighbouring spans or move the boundary between them, from left to right."""
    start, middle = bounds[0], bounds[1]
    _sum(x, start, middle, sums, LEFT)
    left_norm = _norm(sums, LEFT, middle - start)
    for number in range(2, cuts + 1):
        end = bounds[number]
        _sum(x, middle, end, sums, RIGHT)
        right_norm = _norm(sums, RIGHT, end - middle)
        if _dot(sums, LEFT, sums, RIGHT) >= threshold * left_norm * right_norm:
            for d in range(x.shape[1]):
                sums[LEFT, d] += sums[RIGHT, d]
        else:
            # Of a cosine, the lengths of the means do not matter: sums will do.
            left_scale, right_scale = np.float32(1 / left_norm), np.float32(1 / right_norm)
            for d in range(x.shape[1]):
                sums[CONTRAST, d] = sums[LEFT, d] * left_scale - sums[RIGHT, d] * right_scale
            cut = _best_cut(x, norms, start, middle, end, sums)
            if cut > start:
                spans[count, 0], spans[count, 1] = start, cut
                count += 1
            _sum(x, cut, end, sums, LEFT)
            start = cut
        left_norm = _norm(sums, LEFT, end - start)
        middle = end
    spans[count, 0], spans[count, 1] = start, middle
    return count + 1


@compiled_sums
def _best_cut(x: Floats, norms: Floats, start: int, middle: int, end: int, sums: Floats) -> int:
    """Find the boundary between two spans that gives each frame the mean that it is like.

    CONTRAST is the left mean less the right one, each of norm 1: its product with a frame says by
    how much that frame gains on the left.
    """
    low = middle - max(1, (middle - start) // 2)
    high = middle + max(1, (end - middle) // 2) - 1
    cut, gain, best = low, 0.0, 0.0
    for at in range(low, high):
        gain += _dot(x, at, sums, CONTRAST) / norms[at]
        if gain > best:
            cut, best = at + 1, gain
    return cut


@compiled_sums
def _norm(sums: Floats, row: int, count: int) -> float:
    """Return the norm of a sum of frames such that dividing by their number gives the mean's."""
    return sqrt(_dot(sums, row, sums, row) + EPSILON * count * count)


@compiled_sums
def _sum(x: Floats, start: int, end: int, sums: Floats, row: int) -> None:
    for d in range(x.shape[1]):
        sums[row, d] = 0
    for at in range(start, end):
        for d in range(x.shape[1]):
            sums[row, d] += x[at, d]


@compiled_sums
def _dot(a: Floats, i: int, b: Floats, j: int) -> np.float32:
    total = np.float32(0)
    for d in range(a.shape[1]):
        total += a[i, d] * b[j, d]
    return total
