"""Confidence intervals by the bootstrap: the corpus, drawn again and again from itself.

Bisani and Ney (2004), https://doi.org/10.1109/ICASSP.2004.1326009. What is drawn are utterances,
and with each all systems' errors in it, so that the interval of a difference is one of pairs.
"""

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
AT_ONCE = 1 << 20
"""Draws that are in memory at a time."""

Interval = tuple[float, float]


def resample(columns: npt.NDArray[np.int64], times: int, seed: int) -> npt.NDArray[np.float64]:
    """Sum columns over utterances that are drawn with replacement, as many as there are.

    Args:
        columns: [U, K], counts of each utterance.
        times: how often they are drawn, R.
        seed: of the draws; the same one draws the same.

    Returns:
        [R, K]; whole numbers.

    """
    count = len(columns)
    draws = np.random.default_rng(seed)
    values = columns.astype(np.float64)
    sums = np.empty((times, columns.shape[1]))
    step = max(1, AT_ONCE // max(count, 1))
    for begin in range(0, times, step):
        rows = min(step, times - begin)
        drawn = draws.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
        often = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        sums[begin : begin + rows] = often.astype(np.float64) @ values
    return sums


def rates(
    errors: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Divide errors, [R, S], by sizes, [R, 1]; where a size is 0, each error counts whole."""
    found: npt.NDArray[np.float64] = errors / np.where(sizes, sizes, 1)
    return found


def interval(values: npt.NDArray[np.float64]) -> Interval | None:
    """Return what the middle `CONFIDENCE` of values, [R], lies between; None if there are none."""
    if not len(values):
        return None
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return float(low), float(high)
