"""How lengths are spread: exact counts in fixed bins, an eighth of an octave each.

So any number of samples takes the same memory, and bins go together to wider ones without loss.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PER_OCTAVE = 8
EDGES: Floats = 2.0 ** (np.arange(-10 * PER_OCTAVE, 32 * PER_OCTAVE + 1) / PER_OCTAVE)
"""From a millisecond to 2 ** 32, whether of seconds or tokens."""
BINS = len(EDGES)
"""The first holds what is below all edges, such as clips without a token."""


def bins_of(values: npt.NDArray[Any]) -> Ints:
    """Return the bin of each value, [N]: bin b holds EDGES[b - 1] <= value < EDGES[b]."""
    found = np.searchsorted(EDGES, values, side="right")
    return np.minimum(found, BINS - 1).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Counts of bins side by side."""

    edges: Floats
    """[B + 1], rising."""
    counts: Ints
    """[B]."""
    below: int
    """What lies below all edges."""


@dataclass(kw_only=True)
class Spread:
    """How the lengths of one kind are spread."""

    counts: Ints = field(default_factory=lambda: np.zeros(BINS, np.int64))
    samples: int = 0
    total: float = 0.0
    smallest: float = np.inf
    largest: float = 0.0

    def add(self, values: npt.NDArray[Any], bins: Ints) -> None:
        """Count values, [N], whose bins are these."""
        if not len(values):
            return
        self.counts += np.bincount(bins, minlength=BINS)
        self.samples += len(values)
        self.total += float(values.astype(np.float64).sum())
        self.smallest = min(self.smallest, float(values.min()))
        self.largest = max(self.largest, float(values.max()))

    @property
    def mean(self) -> float:
        """The mean; 0 of nothing."""
        return self.total / max(self.samples, 1)

    def quantile(self, share: float) -> float:
        """Return about what value a share of all are below: off by a bin's width, 9 %, at most."""
        if not self.samples:
            return 0.0
        upto = np.cumsum(self.counts)
        at = int(np.searchsorted(upto, share * self.samples, side="left"))
        before = int(upto[at - 1]) if at else 0
        within = (share * self.samples - before) / max(int(self.counts[at]), 1)
        low = float(EDGES[at - 1]) if at else self.smallest
        value = low + within * (float(EDGES[min(at, BINS - 1)]) - low)
        return min(max(value, self.smallest), self.largest)

    def bars(self, most: int = 40) -> Bars:
        """Return the bins that hold something and those between them, put together to `most`."""
        held = np.flatnonzero(self.counts[1:])
        if not len(held):
            return Bars(edges=EDGES[:2], counts=np.zeros(1, np.int64), below=int(self.counts[0]))
        first, last = int(held[0]), int(held[-1]) + 1
        width = next(w for w in (1, 2, 4, 8, 16) if (last - 1) // w - first // w < most)
        first, last = first // width * width, min(-(-last // width) * width, BINS - 1)
        starts = np.arange(first, last, width)
        counts = np.add.reduceat(self.counts[1:][:last], starts)
        edges = EDGES[np.append(starts, last)]
        return Bars(edges=edges, counts=counts, below=int(self.counts[0]))
