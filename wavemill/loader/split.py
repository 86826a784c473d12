"""Which samples are held out: a part of a dataset that is not trained on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavemill.sharding.draw import Keys, uniform
from wavemill.specs import check_range

HELD_OUT = 103
"""What is drawn; this keeps the draw from others by the same keys."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Samples that are held out, or all others.

    Which they are depends on where a sample stands in its dataset, and on nothing else: not on the
    seed of the order, the epoch, or what is loaded beside it. A dataset that something was added to
    has others.
    """

    share: float
    """Of the samples, about, that are held out."""
    held_out: bool = False
    """Load those; else all others."""

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("the share held out", self.share, 1e-6, 0.9)

    def chosen(self, places: Keys) -> npt.NDArray[np.bool_]:
        """Return which of the samples at some places of their dataset are loaded, [N]."""
        held = uniform(places, HELD_OUT) < self.share
        return held if self.held_out else ~held
