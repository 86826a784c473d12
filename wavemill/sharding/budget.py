"""What a batch may hold: how many samples, given its longest duration and its most tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.errors import UsageError
from wavemill.sharding.buckets import Floats, Ints
from wavemill.specs import check_range

MIN_LIMIT, MAX_LIMIT = 0.001, 10**15
MAX_SIZE = 10**9
"""The most samples a batch may have where no limit says less."""


@dataclass(frozen=True, kw_only=True)
class BucketSize:
    """How many samples a batch may have that is padded to these bounds, both inclusive."""

    max_seconds: float
    max_tokens: float
    """Infinite where a profile says nothing of tokens."""
    size: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of a batch of `n` samples, all of which hold; a single sample is always allowed."""

    seconds: float | None = None
    """Of `n` times the longest duration."""
    tokens: int | None = None
    """Of `n` times the most tokens; a sample without tokens counts as having one."""
    area: float | None = None
    """Of `n` times the longest duration times the most tokens: what cross-attention holds."""
    sizes: Sequence[BucketSize] = ()
    """A profile: `n` is at most the largest size of the buckets whose bounds hold the batch."""

    def __post_init__(self) -> None:
        """Check that there is a limit, and the ranges."""
        if not self.sizes and (self.seconds, self.tokens, self.area) == (None, None, None):
            raise UsageError(
                "nothing limits a batch; give --batch-seconds, --batch-tokens, --batch-area"
                " or --profile"
            )
        check_range("--batch-seconds", self.seconds, MIN_LIMIT, MAX_LIMIT)
        check_range("--batch-tokens", self.tokens, 1, MAX_LIMIT)
        check_range("--batch-area", self.area, MIN_LIMIT, MAX_LIMIT)

    @property
    def counts_tokens(self) -> bool:
        """Say whether tokens matter to it."""
        return bool(self.sizes) or self.tokens is not None or self.area is not None

    def capacity(self, seconds: float | Floats, tokens: int | Ints) -> Ints:
        """Return how many samples a batch holds, 1 or more.

        Never rises as either grows, so a batch that fits at some bounds fits at any below them.

        Args:
            seconds: longest duration, [N] or one for all.
            tokens: most tokens, [N] or one for all.

        """
        seconds, tokens = np.broadcast_arrays(np.float64(seconds), np.int64(tokens))
        counts = np.full(seconds.shape, MAX_SIZE, np.int64)
        for limit, measure in self._limits(seconds, tokens):
            counts = np.minimum(counts, _times(limit, measure))
        if self.sizes:
            counts = np.minimum(counts, self._profiled(seconds, tokens))
        return np.maximum(counts, 1)

    def capacity_of(self, seconds: float, tokens: int) -> int:
        """Return `capacity` of a single pair of lengths; much faster than an array of one."""
        count = MAX_SIZE
        some = max(tokens, 1)
        for limit, measure in (
            (self.seconds, seconds), (self.tokens, float(some)), (self.area, seconds * some),
        ):  # fmt: skip
            if limit is not None:
                count = min(count, _times_of(limit, measure))
        if self.sizes:
            count = min(count, self._profiled_of(seconds, tokens))
        return max(count, 1)

    def fullness(self, counts: Ints, seconds: Floats, tokens: Ints) -> Floats:
        """Return how much of the tightest limit batches use, over 1 where one sample is too long.

        Args:
            counts: samples, [B].
            seconds: longest duration, [B].
            tokens: most tokens, [B].

        """
        full = np.zeros(len(counts))
        for limit, measure in self._limits(seconds, tokens):
            full = np.maximum(full, counts * measure / limit)
        if self.sizes:
            full = np.maximum(full, counts / np.maximum(self._profiled(seconds, tokens), 1))
        return full

    def _limits(
        self, seconds: npt.NDArray[Any], tokens: npt.NDArray[Any]
    ) -> list[tuple[float, npt.NDArray[Any]]]:
        some = np.maximum(tokens, 1)
        limits = [(self.seconds, seconds), (self.tokens, some), (self.area, seconds * some)]
        return [(limit, measure) for limit, measure in limits if limit is not None]

    def _profiled(self, seconds: npt.NDArray[Any], tokens: npt.NDArray[Any]) -> Ints:
        counts = np.zeros(seconds.shape, np.int64)
        for bucket in self.sizes:
            holds = (seconds <= bucket.max_seconds) & (tokens <= bucket.max_tokens)
            counts = np.maximum(counts, np.where(holds, bucket.size, 0))
        return counts

    def _profiled_of(self, seconds: float, tokens: int) -> int:
        fitting = (
            bucket.size
            for bucket in self.sizes
            if seconds <= bucket.max_seconds and tokens <= bucket.max_tokens
        )
        return max(fitting, default=0)


def _times(limit: float, measure: npt.NDArray[Any]) -> Ints:
    """Return how often each goes into a limit, exact in the arithmetic that checks it."""
    counts = np.minimum(np.floor(limit / measure), MAX_SIZE)
    counts -= counts * measure > limit
    counts += (counts + 1) * measure <= limit
    return counts.astype(np.int64)


def _times_of(limit: float, measure: float) -> int:
    """Do what `_times` does for one number, in the same arithmetic."""
    count = MAX_SIZE if limit >= MAX_SIZE * measure else math.floor(limit / measure)
    count -= count * measure > limit
    count += (count + 1) * measure <= limit
    return count
