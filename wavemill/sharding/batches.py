"""An epoch's batches: tight in duration and in tokens, every sample once, anew each epoch.

Samples are sorted by duration and cut into strips, each strip by tokens into pools of a few
batches' worth, and each pool is dealt out at random. So a batch is drawn from samples that are
alike in both lengths, and what it is padded to is known before it is drawn. Where strips and pools
begin is drawn anew each epoch. `cuts.py` says how wide they are, `balance.py` how many strips there
are; `docs/decisions/2026-11-25-batches.md` has what else was tried.
"""

from dataclasses import dataclass

import numpy as np

from wavemill.sharding.balance import balanced_strips
from wavemill.sharding.buckets import MAX_BUCKETS, Floats, Ints, find_bounds
from wavemill.sharding.budget import Budget
from wavemill.sharding.draw import Keys
from wavemill.sharding.flat import Padding, longest_of, padding_of, rearrange
from wavemill.sharding.packing import Packing, pack
from wavemill.specs import MAX_SEED, check_range


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How batches are made up."""

    budget: Budget
    pool: float = 3.5
    """How many batches' worth of like samples a batch is drawn from.

    More of them repeat fewer of a sample's neighbours from one epoch to the next (about one in
    `2.5 * pool`) and pad more (as the square root of `pool`).
    """
    num_buckets: int = 30
    num_sub_buckets: int = 5
    seed: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--pool", self.pool, 1, 1e9)
        check_range("--buckets", self.num_buckets, 1, MAX_BUCKETS)
        check_range("--sub-buckets", self.num_sub_buckets, 1, MAX_BUCKETS)
        check_range("--seed", self.seed, 0, MAX_SEED)
        check_range("--epoch", self.epoch, 0, MAX_SEED)


@dataclass(frozen=True, kw_only=True)
class EpochBucket:
    """What the batches of a bucket have in common in an epoch; bounds are inclusive."""

    name: str
    max_seconds: float
    max_tokens: int
    size: int
    """Of its largest batch."""


@dataclass(frozen=True, kw_only=True)
class EpochPlan:
    """An epoch's batches, in the order of training, as flat arrays."""

    order: Ints
    """Positions of samples, batch after batch, [N]; each once."""
    offsets: Ints
    """Where batches begin in `order`, and its end, [B + 1]."""
    max_seconds: Floats
    """The longest duration of each batch, [B]."""
    max_tokens: Ints
    """The most tokens of each batch, [B]."""
    bucket_of_batch: Ints
    """Positions in `buckets`, [B]."""
    buckets: list[EpochBucket]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Ints:
        """Samples of each batch, [B]."""
        return np.diff(self.offsets)

    def batch(self, number: int) -> Ints:
        """Return a batch's samples: their positions."""
        return self.order[self.offsets[number] : self.offsets[number + 1]]


def plan_epoch(
    seconds: Floats, tokens: Ints, config: BatchConfig, keys: Keys | None = None
) -> EpochPlan:
    """Plan an epoch: every sample in exactly one batch, none of them over the budget.

    A pure function of its arguments. With keys it does not depend on the order of samples either:
    the same samples share the same batches.

    Args:
        seconds: durations over 0, [N].
        tokens: lengths in tokens, [N]; all 0 where nothing is tokenized.
        config: how.
        keys: a number of its own for each sample, [N], as a digest of its id; its position if none.

    """
    if keys is None:
        keys = np.arange(len(seconds), dtype=np.uint64)
    by_length = np.argsort(seconds)
    strips = balanced_strips(seconds, tokens, keys, config.budget, config.pool)
    packing = Packing(
        budget=config.budget,
        pool=config.pool,
        strips=strips,
        seed=config.seed,
        epoch=config.epoch,
    )
    bounds = find_bounds(
        seconds[by_length], tokens[by_length], config.num_buckets, config.num_sub_buckets
    )
    order, sizes = pack(seconds, tokens, keys, by_length, packing)
    del by_length
    dice = np.random.Generator(np.random.PCG64([config.seed, config.epoch]))
    order, offsets = rearrange(order, sizes, dice.permutation(len(sizes)))
    longest = longest_of(seconds, tokens, order, offsets)
    kept, where = np.unique(bounds.place(*longest), return_inverse=True)
    names = [bounds.buckets[number].name for number in kept.tolist()]
    return in_buckets(order, offsets, longest, names, where)


def in_buckets(
    order: Ints, offsets: Ints, longest: tuple[Floats, Ints], names: list[str], where: Ints
) -> EpochPlan:
    """Put batches into buckets, and find what those of each have in common.

    Args:
        order: positions of samples, batch after batch, [N].
        offsets: where batches begin in `order`, and its end, [B + 1].
        longest: what `longest_of` says of the batches.
        names: of the buckets.
        where: each batch's bucket, [B].

    """
    seconds, tokens, size = np.zeros(len(names)), *np.zeros((2, len(names)), np.int64)
    np.maximum.at(seconds, where, longest[0])
    np.maximum.at(tokens, where, longest[1])
    np.maximum.at(size, where, np.diff(offsets))
    rows = zip(names, seconds.tolist(), tokens.tolist(), size.tolist(), strict=True)
    return EpochPlan(
        order=order,
        offsets=offsets,
        max_seconds=longest[0],
        max_tokens=longest[1],
        bucket_of_batch=where,
        buckets=[
            EpochBucket(name=name, max_seconds=most_seconds, max_tokens=most_tokens, size=count)
            for name, most_seconds, most_tokens, count in rows
        ],
    )


def measure_padding(seconds: Floats, tokens: Ints, plan: EpochPlan) -> Padding:
    """Measure what padding every batch to its longest sample adds."""
    return padding_of(seconds, tokens, plan.sizes, plan.max_seconds, plan.max_tokens)
