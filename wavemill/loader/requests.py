"""Which samples to read, and how long those of a shard are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wavemill.sharding.buckets import Floats, Ints


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to read."""

    shard: int
    position: int
    seconds: float
    """Its duration as it is stored."""
    draw: float
    """A number from 0 up to 1 that is its own in this epoch."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Samples to read, B of them."""

    shards: list[int]
    positions: list[int]
    seconds: list[float]
    draws: list[float]

    def __len__(self) -> int:
        return len(self.shards)

    def __iter__(self) -> Iterator[Request]:
        return map(Request, self.shards, self.positions, self.seconds, self.draws)


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long the samples of a shard are, [N] each."""

    seconds: Floats
    tokens: Ints
    """Of the longest stream, or the one that counts."""
    stored: Floats
    """Seconds before any crop."""

    @classmethod
    def none(cls) -> "Lengths":
        """Return those of no sample."""
        return cls(seconds=np.zeros(0), tokens=np.zeros(0, np.int64), stored=np.zeros(0))
