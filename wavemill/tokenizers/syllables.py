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

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
"""[T, D]."""
Spans = npt.NDArray[np.int64]
"""First frame, and the one after the last, of each syllable: [S, 2]."""


def find_syllables(
    features: Features, *, norm_threshold: float = 2.6, merge_threshold: float = 0.8
) -> Spans:
    """Find the syllables of features [T, D], in time linear in T.

    The thresholds are published for the ninth layer of Sylber's encoder. Norms of other features
    have another scale. A machine's first call compiles, which takes seconds; `compiled.py` says
    where that is kept.
    """
    from wavemill.tokenizers.syllable_loops import EPSILON, fill_spans  # numba takes a while

    x = np.ascontiguousarray(features, np.float32)
    squares = np.vecdot(x, x)
    norms = np.sqrt(squares + np.float32(EPSILON))
    sums, bounds = np.empty((3, x.shape[1]), np.float32), np.empty(len(x) + 1, np.int64)
    spans = np.empty((len(x), 2), np.int64)
    thresholds = float(norm_threshold), float(merge_threshold)
    count = fill_spans(x, squares, norms, *thresholds, sums, bounds, spans)
    return spans[:count].copy()
