"""Syllables in features: where they begin and end, in one pass.

The segmentation of Sylber (Cho et al., "Sylber: Syllabic Embedding Representation of Speech from
Raw Audio", arXiv 2410.07168), as its package computes it, of any features [T, D]:

1. A frame is speech if its norm is at least a threshold. A stretch of speech frames is a *run*.
2. A span grows while the next frame's cosine to its running mean is at least a threshold.
3. Of two spans that touch, both become one if the cosine of their means is at least that threshold;
   else the boundary moves, within half of each span, to where the frames' summed cosines to the
   means on their side are highest.

The running mean of step 2 is the package's: after a run's first span, a span's first frame counts
for as many frames as the run has had. Spans that step 3 leaves without a frame are dropped.
"""

from itertools import accumulate
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

EPSILON = 1e-8
"""Added to squared norms, as published, so that frames of zeros can be compared."""

Features = npt.NDArray[np.float32]
"""[T, D]."""
Spans = npt.NDArray[np.int64]
"""First frame, and the one after the last, of each syllable: [S, 2]."""


class _Frames(NamedTuple):
    """Features and what is computed of them once."""

    all: Features
    rows: list[npt.NDArray[np.float32]]
    squares: list[float]
    norms: list[float]
    per_norm: npt.NDArray[np.float32]
    """1 / norm."""
    ones: npt.NDArray[np.float32]

    def sum(self, start: int, end: int) -> npt.NDArray[np.float32]:
        """Add frames up: a matrix product, which costs less than `sum` for a few rows."""
        total: npt.NDArray[np.float32] = self.ones[start:end].dot(self.all[start:end])
        return total


def find_syllables(
    features: Features, *, norm_threshold: float = 2.6, merge_threshold: float = 0.8
) -> Spans:
    """Find the syllables of features [T, D], in time linear in T.

    The thresholds are published for the ninth layer of Sylber's encoder. Norms of other features
    have another scale.
    """
    x = np.ascontiguousarray(features, np.float32)
    squares = np.vecdot(x, x)
    norms = np.sqrt(squares + np.float32(EPSILON))
    frames = _Frames(
        x, list(x), squares.tolist(), norms.tolist(), 1 / norms, np.ones(len(x), np.float32)
    )
    spans: list[tuple[int, int]] = []
    for first, last in _runs(norms >= norm_threshold):
        bounds = _grow(frames, first, last, merge_threshold)
        spans += _settle(frames, bounds, merge_threshold) if len(bounds) > 2 else [(first, last)]
    return np.array(spans, np.int64).reshape(-1, 2)


def _runs(speech: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(speech, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _grow(frames: _Frames, first: int, last: int, threshold: float) -> list[int]:
    """Cut a run where a frame is unlike the running mean before it; return all bounds."""
    rows, squares, norms = frames.rows, frames.squares, frames.norms
    bounds = [first]
    # The mean is total / seen. Kept are the sum and its square: |a + b|^2 = |a|^2 + 2ab + |b|^2.
    total, power = rows[first].copy(), squares[first]
    dot, add = total.dot, np.add
    for at in range(first + 1, last):
        row, seen = rows[at], at - first
        product = float(dot(row))
        if product >= threshold * norms[at] * sqrt(power + EPSILON * seen * seen):
            add(total, row, total)
            power += 2 * product + squares[at]
        else:
            np.multiply(row, seen + 1, total)
            power = squares[at] * (seen + 1) ** 2
            bounds.append(at)
    bounds.append(last)
    return bounds


def _settle(frames: _Frames, bounds: list[int], threshold: float) -> list[tuple[int, int]]:
    """Join a run's neighbouring spans or move the boundary between them, from left to right."""
    done = []
    start, middle = bounds[0], bounds[1]
    left, left_norm = _sum_and_norm(frames, start, middle)
    for end in bounds[2:]:
        right, right_norm = _sum_and_norm(frames, middle, end)
        if left.dot(right) >= threshold * left_norm * right_norm:
            left = left + right
        else:
            # Of a cosine, the lengths of the means do not matter: sums will do.
            contrast = left * (1 / left_norm) - right * (1 / right_norm)
            cut = _best_cut(frames, (start, middle, end), contrast)
            if cut > start:
                done.append((start, cut))
            left = frames.sum(cut, end) if cut != middle else right
            start = cut
        left_norm = _norm(left, end - start)
        middle = end
    return [*done, (start, middle)]


def _sum_and_norm(frames: _Frames, start: int, end: int) -> tuple[npt.NDArray[np.float32], float]:
    total = frames.sum(start, end)
    return total, _norm(total, end - start)


def _norm(total: npt.NDArray[np.float32], count: int) -> float:
    """Return the norm of a sum of frames such that dividing by their number gives the mean's."""
    return sqrt(float(total.dot(total)) + EPSILON * count * count)


def _best_cut(
    frames: _Frames, span: tuple[int, int, int], contrast: npt.NDArray[np.float32]
) -> int:
    """Find the boundary between two spans that gives each frame the mean that it is like.

    `contrast` is the left mean less the right one, each of norm 1: its product with a frame says by
    how much that frame gains on the left.
    """
    start, middle, end = span
    low = middle - max(1, (middle - start) // 2)
    high = middle + max(1, (end - middle) // 2) - 1
    gains = frames.all[low:high].dot(contrast) * frames.per_norm[low:high]
    sums = list(accumulate(gains.tolist(), initial=0.0))
    return low + sums.index(max(sums))
