"""The plan: which sample goes into which shard. A pure function of lengths, ids and a seed.

Samples are dealt out to bins that hold what comes one after another in the plan, each small enough
for memory; a bin is sorted when its turn comes. So a plan of any size takes the memory of a bin and
a shard.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavemill.columns import Array, Column, slices
from wavemill.sharding.bounds import bounds_by_pieces
from wavemill.sharding.buckets import Bounds, Bucket, Floats, Ints
from wavemill.sharding.draw import mix

BIN = 1 << 19
"""Samples of a bin, about."""
MOST_BINS = 256
"""Each is an open file; of more samples than fit into so many, bins grow."""
_MEMBER = np.dtype(
    [("draw", "<u8"), ("size", "<i8"), ("where", "<i4"), ("unit", "<i4"), ("row", "<i4")]
)


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
    """One shard: its bucket, its number there, and its members in order."""

    bucket: str
    number: int
    unit: npt.NDArray[np.int32]
    """The unit of each member, [M]."""
    row: npt.NDArray[np.int32]
    """Its row there, [M]."""


def plan_shards(
    lengths: Lengths, config: PlanConfig, most: int = BIN
) -> tuple[list[Bucket], Iterator[ShardPlan]]:
    """Lay samples out in buckets and shards; every sample lies in exactly one shard.

    Within a bucket the order is random, by a digest of seed and id alone: a sample more or less
    does not reorder the others.

    Args:
        lengths: of all samples; arrays may be mapped, and are read from the first on.
        config: how.
        most: about as many samples are sorted in memory at a time.

    Returns:
        The buckets, and the shards in their order.

    """
    if not len(lengths):
        return [], iter(())
    bounds = bounds_by_pieces(
        lengths.seconds,
        lengths.tokens,
        config.num_buckets,
        config.num_sub_buckets,
        at_once=4 * most,  # single numbers, not rows of five
    )
    return bounds.buckets, _shards(lengths, config, bounds, most)


def _shards(lengths: Lengths, config: PlanConfig, bounds: Bounds, most: int) -> Iterator[ShardPlan]:
    where = Column(np.int32)
    counts, totals = np.zeros((2, len(bounds.buckets)), np.int64)
    for part in slices(len(lengths)):
        found = bounds.place(lengths.seconds[part], lengths.tokens[part])
        where.add(found)
        np.add.at(counts, found, 1)
        np.add.at(totals, found, lengths.num_bytes[part])
    bins = _Bins(counts, max(most, len(lengths) // MOST_BINS))
    buckets = where.array()
    for part in slices(len(lengths)):
        bins.add(_members(lengths, buckets, config.seed, part))
    del where, buckets
    cutter = _Cutter(bounds.buckets, totals, config.shard_bytes)
    for members in bins.ordered():
        yield from cutter.add(members)
    yield from cutter.end()


def _members(lengths: Lengths, where: Array, seed: int, part: slice) -> Array:
    members = np.empty(part.stop - part.start, _MEMBER)
    members["draw"] = mix(lengths.key[part], seed)
    members["size"] = lengths.num_bytes[part]
    members["where"] = where[part]
    members["unit"] = lengths.unit[part]
    members["row"] = lengths.row[part]
    return members


class _Bins:
    """Deals samples out to bins: small buckets share one, a large one has several by its draws."""

    def __init__(self, counts: Ints, most: int) -> None:
        self._parts = np.maximum(-(-counts // most), 1).astype(np.uint64)
        room, number = 0, -1
        firsts = []
        for count, parts in zip(counts.tolist(), self._parts.tolist(), strict=True):
            if count > room:
                number, room = number + 1, most
            firsts.append(number)
            room -= count
            if parts > 1:
                number, room = number + int(parts) - 1, 0
        self._firsts = np.array(firsts, np.int64)
        self._bins = [Column(_MEMBER) for _ in range(number + 1)]

    def add(self, members: Array) -> None:
        """Put each member into its bin, behind those that are there."""
        parts = self._parts[members["where"]]
        # Draws are even over 64 bits: equal ranges of them hold about as many.
        which = (members["draw"] >> np.uint64(32)) * parts >> np.uint64(32)
        number = self._firsts[members["where"]] + which.astype(np.int64)
        order = np.argsort(number, kind="stable")
        edges = np.flatnonzero(np.diff(number[order])) + 1
        for some in np.split(order, edges):
            self._bins[number[some[0]]].add(members[some])

    def ordered(self) -> Iterator[Array]:
        """Yield each bin's members in the order of buckets and draws; equal ones as they came."""
        for column in self._bins:
            members = np.array(column.array())
            yield members[np.lexsort((members["draw"], members["where"]))]


class _Cutter:
    """Cuts buckets into shards of about equal size, none empty and none much over the target."""

    def __init__(self, buckets: list[Bucket], totals: Ints, shard_bytes: int) -> None:
        self._names = [bucket.name for bucket in buckets]
        shards = np.maximum(-(-totals // shard_bytes), 1)
        # Where a sample begins decides its shard: integers, so every machine rounds alike.
        self._share = np.maximum(-(-totals // shards), 1).tolist()
        self._bucket = self._number = self._before = 0
        self._share_of = -1
        self._held: list[Array] = []

    def add(self, members: Array) -> Iterator[ShardPlan]:
        """Take members in order; yield the shards that are whole."""
        edges = np.flatnonzero(np.diff(members["where"])) + 1
        for own in np.split(members, edges) if len(members) else ():
            yield from self._add(own)

    def _add(self, members: Array) -> Iterator[ShardPlan]:
        if int(members["where"][0]) != self._bucket:
            yield from self.end()
            self._bucket, self._number = int(members["where"][0]), 0
            self._before, self._share_of = 0, -1
        before = self._before + np.cumsum(members["size"]) - members["size"]
        self._before = int(before[-1] + members["size"][-1])
        shard_of = before // self._share[self._bucket]
        for part in np.split(np.arange(len(members)), np.flatnonzero(np.diff(shard_of)) + 1):
            if shard_of[part[0]] != self._share_of:
                yield from self.end()
                self._share_of = int(shard_of[part[0]])
            self._held.append(members[part])

    def end(self) -> Iterator[ShardPlan]:
        """Yield the shard that was begun."""
        if self._held:
            members = np.concatenate(self._held)
            yield ShardPlan(
                bucket=self._names[self._bucket],
                number=self._number,
                unit=members["unit"],
                row=members["row"],
            )
            self._number += 1
            self._held = []
