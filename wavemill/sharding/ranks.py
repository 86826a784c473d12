"""An epoch for several ranks: as many batches for each, of the same bucket at the same step.

The rule: from each bucket, `world_size` batches at a time make a step. What remains of the buckets,
fewer than `world_size` batches of each, makes steps of batches from neighbouring buckets, and such
a step has a bucket of its own that spans them. The last of these lacks batches: the largest it has
are halved until there is one for each rank. So every sample is in exactly one batch, and a step
more than `batches / world_size` at most is taken. Where an epoch's samples cannot be dealt out
evenly (fewer samples than ranks, or only batches of one), single samples are repeated, and counted.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from wavemill.sharding.batches import EpochPlan, in_buckets
from wavemill.sharding.buckets import Floats, Ints
from wavemill.sharding.flat import longest_of, rearrange


@dataclass(frozen=True, kw_only=True)
class RankPlan:
    """An epoch's batches in steps of `world_size`: batch `step * world_size + rank` is a rank's."""

    plan: EpochPlan
    """The batches; all of a step are of one bucket."""
    world_size: int
    repeated: int
    """Samples that come twice."""

    @property
    def steps(self) -> int:
        """How many batches each rank gets."""
        return len(self.plan) // self.world_size


def deal(plan: EpochPlan, seconds: Floats, tokens: Ints, world_size: int) -> RankPlan:
    """Deal an epoch's batches out to ranks; a pure function of its arguments.

    Args:
        plan: the epoch.
        seconds: durations of all samples, [N].
        tokens: their lengths in tokens, [N].
        world_size: how many ranks there are, 1 or more.

    """
    steps, tail = _group(plan.bucket_of_batch, world_size)
    steps, tail = _borrow(plan.sizes, steps, tail)
    steps = steps[np.argsort(steps.mean(axis=1), kind="stable")]
    goal = -(-len(tail) // world_size) * world_size
    offsets = _halve(plan.offsets, tail, goal)
    # Halving moves no sample: where a batch began, one begins still.
    origin = np.searchsorted(plan.offsets, offsets[:-1], side="right") - 1
    pieces = np.flatnonzero(np.isin(origin, tail))
    pieces = pieces[np.argsort(plan.bucket_of_batch[origin[pieces]], kind="stable")]
    repeated = goal - len(pieces)
    pieces = np.concatenate([pieces, np.resize(pieces, repeated)])
    kept = np.searchsorted(offsets, plan.offsets[steps.ravel()])
    batches = np.concatenate([kept, pieces])
    order, offsets = rearrange(plan.order, np.diff(offsets), batches)
    return RankPlan(
        plan=_name_steps(plan, order, offsets, origin[batches], seconds, tokens, world_size),
        world_size=world_size,
        repeated=repeated,
    )


def _group(bucket_of_batch: Ints, world_size: int) -> tuple[Ints, Ints]:
    """Group batches in steps, [S, world_size], and return those that remain, fewer than a step."""
    by_bucket = np.argsort(bucket_of_batch, kind="stable")
    counts = np.bincount(bucket_of_batch, minlength=1)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(by_bucket)) - np.repeat(starts, counts)
    whole = place < np.repeat(counts // world_size * world_size, counts)
    # Both in the order of buckets, so that what is left makes steps of neighbours.
    chosen = np.concatenate([by_bucket[whole], by_bucket[~whole]])
    used = len(chosen) // world_size * world_size
    return chosen[:used].reshape(-1, world_size), chosen[used:]


def _borrow(sizes: Ints, steps: Ints, tail: Ints) -> tuple[Ints, Ints]:
    """Add to the batches that remain the largest steps, until there are samples for all ranks."""
    totals = sizes[steps].sum(axis=1)
    largest = np.argsort(-totals, kind="stable")
    have = sizes[tail].sum() + np.append(0, np.cumsum(totals[largest]))
    enough = np.flatnonzero(have >= steps.shape[1] * np.arange(1, len(have) + 1))
    if not len(tail) or not len(enough):
        return steps, tail
    borrowed = largest[: enough[0]]
    return np.delete(steps, borrowed, axis=0), np.concatenate([tail, steps[borrowed].ravel()])


def _halve(offsets: Ints, batches: Ints, goal: int) -> Ints:
    """Halve the largest of some batches until they are `goal`; return the offsets of all."""
    heap = [(int(offsets[b] - offsets[b + 1]), int(offsets[b])) for b in batches.tolist()]
    heapq.heapify(heap)
    cuts = []
    while len(heap) < goal and heap[0][0] < -1:
        size, start = heapq.heappop(heap)
        half = -size // 2
        cuts.append(start + half)
        heapq.heappush(heap, (-half, start))
        heapq.heappush(heap, (size + half, start + half))
    return np.sort(np.concatenate([offsets, np.array(cuts, np.int64)]))


def _name_steps(
    plan: EpochPlan,
    order: Ints,
    offsets: Ints,
    origin: Ints,
    seconds: Floats,
    tokens: Ints,
    world_size: int,
) -> EpochPlan:
    """Give every step one bucket: its batches' own, or one that spans theirs."""
    own = plan.bucket_of_batch[origin].reshape(-1, world_size)
    spans, where = np.unique(
        np.stack([own.min(axis=1), own.max(axis=1)], axis=1), axis=0, return_inverse=True
    )
    names = [
        plan.buckets[first].name
        if first == last
        else f"{plan.buckets[first].name}-to-{plan.buckets[last].name}"
        for first, last in spans.tolist()
    ]
    where = np.repeat(where.ravel(), world_size)
    longest = longest_of(seconds, tokens, order, offsets)
    return in_buckets(order, offsets, longest, names, where)
