"""The plan: which sample goes into which shard. A pure function of lengths, ids and a seed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavemill.sharding.buckets import Bucket, Floats, Ints, assign_buckets
from wavemill.sharding.draw import mix


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """What is known of all samples: a few numbers each, never audio. Arrays are [N]."""

    unit: npt.NDArray[np.int32]
    """Which unit of the spool a sample lies in."""
    row: npt.NDArray[np.int32]
    """Its row there."""
    seconds: Floats
    tokens: Ints
    """Of the longest stream; 0 where nothing is tokenized."""
    num_bytes: Ints
    """What it takes in a shard, over all tars."""
    key: npt.NDArray[np.uint64]
    """A digest of its id: decides the order within a bucket."""

    def __len__(self) -> int:
        return len(self.seconds)


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """How samples are laid out."""

    num_buckets: int
    num_sub_buckets: int
    shard_bytes: int
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """One shard: its bucket, its number there, and positions in `Lengths` in order."""

    bucket: str
    number: int
    members: Ints


def plan_shards(lengths: Lengths, config: PlanConfig) -> tuple[list[Bucket], list[ShardPlan]]:
    """Lay samples out in buckets and shards; every sample lies in exactly one shard.

    Within a bucket the order is random, by a digest of seed and id alone: a sample more or less
    does not reorder the others.
    """
    if not len(lengths):
        return [], []
    buckets, where = assign_buckets(
        lengths.seconds, lengths.tokens, config.num_buckets, config.num_sub_buckets
    )
    shuffled = np.lexsort((mix(lengths.key, config.seed), where))
    edges = np.flatnonzero(np.diff(where[shuffled])) + 1
    shards = []
    for bucket, members in zip(buckets, np.split(shuffled, edges), strict=True):
        for number, part in enumerate(_cut(members, lengths.num_bytes, config.shard_bytes)):
            shards.append(ShardPlan(bucket=bucket.name, number=number, members=part))
    return buckets, shards


def _cut(members: Ints, num_bytes: Ints, shard_bytes: int) -> list[Ints]:
    """Cut a bucket into shards of about equal size, none empty and none much over the target."""
    sizes = num_bytes[members]
    total = int(sizes.sum())
    shards = -(-total // shard_bytes) or 1
    before = np.cumsum(sizes) - sizes
    # Where a sample begins decides its shard: integers, so every machine rounds alike.
    shard_of = before // max(-(-total // shards), 1)
    return np.split(members, np.flatnonzero(np.diff(shard_of)) + 1)
