"""The plan as it is defined, of arrays that lie in memory whole."""

import numpy as np

from wavemill.sharding.buckets import Bucket, Ints, assign_buckets
from wavemill.sharding.draw import mix
from wavemill.sharding.plan import Lengths, PlanConfig

Shard = tuple[str, int, list[int]]
"""The bucket, the number there, and positions of samples in their order."""


def plan_in_memory(lengths: Lengths, config: PlanConfig) -> tuple[list[Bucket], list[Shard]]:
    """Lay samples out in buckets and shards."""
    if not len(lengths):
        return [], []
    buckets, where = assign_buckets(
        lengths.seconds, lengths.tokens, config.num_buckets, config.num_sub_buckets
    )
    shuffled = np.lexsort((mix(lengths.key, config.seed), where))
    edges = np.flatnonzero(np.diff(where[shuffled])) + 1
    return buckets, [
        (bucket.name, number, part.tolist())
        for bucket, members in zip(buckets, np.split(shuffled, edges), strict=True)
        for number, part in enumerate(_cut(members, lengths.num_bytes, config.shard_bytes))
    ]


def _cut(members: Ints, num_bytes: Ints, shard_bytes: int) -> list[Ints]:
    sizes = num_bytes[members]
    total = int(sizes.sum())
    shards = -(-total // shard_bytes) or 1
    before = np.cumsum(sizes) - sizes
    shard_of = before // max(-(-total // shards), 1)
    return np.split(members, np.flatnonzero(np.diff(shard_of)) + 1)
