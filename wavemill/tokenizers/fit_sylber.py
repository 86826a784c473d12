"""Fitting units: k-means over the vectors of syllables, with faiss."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wavemill.errors import JobError, UsageError
from wavemill.tokenizers.faiss_kmeans import train_centroids
from wavemill.tokenizers.reservoir import FrameReservoir
from wavemill.tokenizers.units import MOST, Units, Vectors

Embed = Callable[[npt.NDArray[np.float32]], tuple[Vectors, npt.NDArray[np.float32]]]
"""`SyllableEmbedder.embed`, or its like."""


@dataclass(frozen=True, kw_only=True)
class FitUnitsConfig:
    """How to fit. Published are 5,000, 10,000 and 20,000 units."""

    units: int = 10_000
    iterations: int = 50
    seed: int = 0
    max_vectors: int = 1_000_000
    """How many `fit_from_clips` keeps, by an even draw."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 1 <= self.units <= MOST:
            raise UsageError(f"units={self.units} must be 1 to {MOST}")
        for name in ("iterations", "max_vectors"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)} must be 1 or more")


class FittedUnits(NamedTuple):
    """What a fit gives."""

    centroids: Vectors
    vectors: int
    """How many were fitted."""
    relative_error: float
    """The summed squared distance to the nearest centroid over that to the mean."""


def fit_units(vectors: Vectors, config: FitUnitsConfig) -> FittedUnits:
    """Fit centroids [K, D] of vectors [N, D]; the same vectors and settings give the same.

    Raises:
        JobError: there are fewer vectors than units, or some are not finite.
        UsageError: faiss is not installed.

    """
    if len(vectors) < config.units:
        raise JobError(
            f"{len(vectors)} syllables are too few for {config.units} units: give more audio, or"
            " fewer units"
        )
    if not np.isfinite(vectors).all():
        raise JobError("cannot fit units: some vectors are not finite")
    centroids = train_centroids(
        vectors, config.units, iterations=config.iterations, seed=config.seed
    )
    misses = np.square(vectors - centroids[Units(centroids).nearest(vectors)]).sum()
    spread = np.square(vectors - vectors.mean(axis=0)).sum()
    return FittedUnits(centroids, len(vectors), float(misses / max(spread, 1e-20)))


def fit_from_clips(
    clips: Iterable[npt.NDArray[np.float32]], embed: Embed, config: FitUnitsConfig
) -> FittedUnits:
    """Fit centroids of the syllables of a stream of 16 kHz mono clips [N]; see `fit_units`."""
    reservoir = FrameReservoir(config.max_vectors, config.seed)
    for clip in clips:
        vectors, _ = embed(clip)
        reservoir.add(vectors)
    return fit_units(reservoir.frames(), config)
