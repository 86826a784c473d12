"""What the files of lengths say of all samples: how they are spread, and what buckets pad.

These files are small (8 bytes a sample and 4 a stream), so every sample counts, and no tar is read.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from wavemill.report.spread import BINS, Ints, Spread, bins_of
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lengths import Lengths
from wavemill.sharding.shard_lengths import shard_lengths

TOGETHER = 32
"""Files that are read at once: on a store, each is a request to wait for."""
THREADS = 8


@dataclass(kw_only=True)
class BucketUse:
    """What lies in a bucket. Tokens are those of each sample's longest stream."""

    name: str
    max_seconds: float
    max_tokens: int
    samples: int = 0
    seconds: float = 0.0
    tokens: int = 0
    longest: float = 0.0
    most: int = 0

    def add(self, seconds: Any, tokens: Ints) -> None:
        """Count samples: their seconds and tokens, [N] each."""
        self.samples += len(seconds)
        self.seconds += float(seconds.sum())
        self.tokens += int(tokens.sum())
        self.longest = max(self.longest, float(seconds.max(initial=0.0)))
        self.most = max(self.most, int(tokens.max(initial=0)))

    @property
    def padding_seconds(self) -> float:
        """The share that is padding where every sample is padded to the bucket's longest."""
        return _padding(self.seconds, self.samples * self.longest)

    @property
    def padding_tokens(self) -> float:
        """The same of its tokens."""
        return _padding(self.tokens, self.samples * self.most)


@dataclass(kw_only=True)
class LengthFacts:
    """How long the samples of a dataset are."""

    seconds: Spread = field(default_factory=Spread)
    tokens: dict[str, Spread] = field(default_factory=dict)
    """Of each stream."""
    grid: Ints = field(default_factory=lambda: np.zeros((BINS, BINS), np.int64))
    """Samples by the bins of their seconds and of the tokens of their longest stream."""
    buckets: list[BucketUse] = field(default_factory=list)

    def add(self, rows: Lengths, bucket: BucketUse) -> None:
        """Count the samples of a shard."""
        seconds = rows[layout.SECONDS]
        across = bins_of(seconds)
        self.seconds.add(seconds, across)
        longest = np.zeros(len(rows), np.int64)
        for stream, spread in self.tokens.items():
            own = rows[layout.tokens_field(stream)].astype(np.int64)
            spread.add(own, bins_of(own))
            longest = np.maximum(longest, own)
        bucket.add(seconds, longest)
        self.grid += np.bincount(
            across * BINS + bins_of(longest), minlength=BINS * BINS
        ).reshape(BINS, BINS)  # fmt: skip

    @property
    def padding(self) -> tuple[float, float]:
        """The shares of seconds and of tokens that are padding in all buckets together."""
        every = self.buckets
        return (
            _padding(sum(b.seconds for b in every), sum(b.samples * b.longest for b in every)),
            _padding(sum(b.tokens for b in every), sum(b.samples * b.most for b in every)),
        )


def _padding(held: float, padded: float) -> float:
    return 1 - held / padded if padded else 0.0


def measure_lengths(dataset: Dataset, show: Callable[[int], Any]) -> LengthFacts:
    """Read the lengths of all samples.

    Args:
        dataset: whose.
        show: is told how many shards were read.

    Raises:
        DatasetError: a file of lengths is missing or damaged.

    """
    content = dataset.content
    facts = LengthFacts(tokens={name: Spread() for name in content["tokenizers"]})
    uses = {
        bucket["name"]: BucketUse(
            name=bucket["name"],
            max_seconds=bucket["max_seconds"],
            max_tokens=bucket["max_tokens"],
        )
        for bucket in content["buckets"]
    }
    facts.buckets = list(uses.values())
    for number, (shard, rows) in enumerate(zip(content["shards"], _each(dataset), strict=True)):
        facts.add(rows, uses[shard["bucket"]])
        show(number + 1)
    return facts


def _each(dataset: Dataset) -> Iterator[Lengths]:
    shards = dataset.content["shards"]
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(shards), TOGETHER):
            yield from pool.map(partial(shard_lengths, dataset), shards[first : first + TOGETHER])
