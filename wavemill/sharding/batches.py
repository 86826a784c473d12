"""Batches of an epoch: a pure function of lengths, a seed and the epoch's number.

Every sample is in exactly one batch. A batch holds samples of one bucket, as many as its padded
audio (the longest duration times the number of samples) lets into the budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wavemill.sharding.buckets import MAX_BUCKETS, Floats, Ints, assign_buckets
from wavemill.specs import MAX_SEED, check_range

MAX_BATCH_SECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How batches are made up."""

    batch_seconds: float
    """At most this much padded audio a batch; a single longer sample is a batch of its own."""
    num_buckets: int = 30
    num_sub_buckets: int = 5
    seed: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--batch-seconds", self.batch_seconds, 0.001, MAX_BATCH_SECONDS)
        check_range("--buckets", self.num_buckets, 1, MAX_BUCKETS)
        check_range("--sub-buckets", self.num_sub_buckets, 1, MAX_BUCKETS)
        check_range("--seed", self.seed, 0, MAX_SEED)
        check_range("--epoch", self.epoch, 0, MAX_SEED)


@dataclass(frozen=True, kw_only=True)
class Padding:
    """Shares of padded batches that are padding, 0 to 1."""

    input: float
    tokens: float


def plan_batches(seconds: Floats, tokens: Ints, config: BatchConfig) -> list[Ints]:
    """Return the batches of an epoch, each an array of positions in `seconds`.

    Args:
        seconds: durations, [N].
        tokens: lengths in tokens, [N].
        config: how.

    """
    _, where = assign_buckets(seconds, tokens, config.num_buckets, config.num_sub_buckets)
    dice = np.random.Generator(np.random.PCG64([config.seed, config.epoch]))
    shuffled = dice.permutation(len(seconds))
    by_bucket = shuffled[np.argsort(where[shuffled], kind="stable")]
    edges = np.flatnonzero(np.diff(where[by_bucket])) + 1
    batches = [
        batch
        for members in np.split(by_bucket, edges)
        for batch in _fill(members, seconds, config.batch_seconds)
    ]
    return [batches[index] for index in dice.permutation(len(batches))]


def _fill(members: Ints, seconds: Floats, budget: float) -> Iterator[Ints]:
    start = 0
    longest = 0.0
    for stop, length in enumerate(seconds[members].tolist()):
        longest = max(longest, length)
        if stop > start and longest * (stop - start + 1) > budget:
            yield members[start:stop]
            start, longest = stop, length
    if len(members):
        yield members[start:]


def measure_padding(seconds: Floats, tokens: Ints, batches: list[Ints]) -> Padding:
    """Measure what padding every batch to its longest sample adds."""
    padded_seconds = sum(float(seconds[batch].max()) * len(batch) for batch in batches)
    padded_tokens = sum(int(tokens[batch].max()) * len(batch) for batch in batches)
    return Padding(
        input=1 - float(seconds.sum()) / padded_seconds if padded_seconds else 0.0,
        tokens=1 - int(tokens.sum()) / padded_tokens if padded_tokens else 0.0,
    )
