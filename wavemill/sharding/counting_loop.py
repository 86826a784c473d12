"""The loop that counts ids, compiled: numba is imported with this module."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.tokenizers.compiled import compiled


def _count_ids(ids: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> None:
    """Add how often each id occurs, [T, Q], none out of range, to the counts, [Q, K]."""
    for codebook in range(ids.shape[1]):
        row = counts[codebook]  # a codebook's counts stay in the nearest cache
        for step in range(ids.shape[0]):
            row[np.uintp(ids[step, codebook])] += 1  # unsigned: not looked at for being below 0


count_ids = compiled(_count_ids)
