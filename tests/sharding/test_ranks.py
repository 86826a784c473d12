import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sharding.test_batches import CONFIGS, LENGTHS, Lengths, arrays, corpus
from wavemill.sharding.batches import BatchConfig, plan_epoch
from wavemill.sharding.budget import Budget
from wavemill.sharding.ranks import RankPlan, deal

WORLD_SIZES = st.sampled_from([1, 2, 3, 4, 8, 64])


def dealt(lengths: Lengths, config: BatchConfig, world_size: int) -> RankPlan:
    seconds, tokens = arrays(lengths)
    return deal(plan_epoch(seconds, tokens, config), seconds, tokens, world_size)


@settings(deadline=None)
@given(LENGTHS, CONFIGS, WORLD_SIZES)
def test_every_rank_gets_as_many_batches_of_the_same_bucket_at_each_step(
    lengths: Lengths, config: BatchConfig, world_size: int
) -> None:
    ranks = dealt(lengths, config, world_size)
    buckets = ranks.plan.bucket_of_batch.reshape(ranks.steps, world_size)
    assert (buckets == buckets[:, :1]).all()
    assert (ranks.plan.sizes > 0).all()
    for number in range(len(ranks.plan)):
        bucket = ranks.plan.buckets[ranks.plan.bucket_of_batch[number]]
        assert ranks.plan.max_seconds[number] <= bucket.max_seconds
        assert ranks.plan.max_tokens[number] <= bucket.max_tokens
        assert ranks.plan.sizes[number] <= bucket.size


@settings(deadline=None)
@given(LENGTHS, CONFIGS, WORLD_SIZES)
def test_every_sample_is_in_one_batch_and_one_twice_only_where_it_cannot_be_helped(
    lengths: Lengths, config: BatchConfig, world_size: int
) -> None:
    ranks = dealt(lengths, config, world_size)
    times = np.bincount(ranks.plan.order, minlength=len(lengths))
    assert times.min(initial=1) == 1
    assert times.sum() - len(lengths) == ranks.repeated
    seconds, tokens = arrays(lengths)
    batches = len(plan_epoch(seconds, tokens, config))
    assert ranks.steps == -(-batches // world_size)
    assert (ranks.repeated > 0) == (len(lengths) < ranks.steps * world_size)


@settings(deadline=None)
@given(LENGTHS, CONFIGS, WORLD_SIZES)
def test_no_batch_of_a_rank_is_over_the_budget(
    lengths: Lengths, config: BatchConfig, world_size: int
) -> None:
    plan = dealt(lengths, config, world_size).plan
    full = config.budget.fullness(plan.sizes, plan.max_seconds, plan.max_tokens)
    assert ((full <= 1) | (plan.sizes == 1)).all()


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_one_rank_gets_the_epoch_as_it_was_planned(lengths: Lengths, config: BatchConfig) -> None:
    seconds, tokens = arrays(lengths)
    plan = plan_epoch(seconds, tokens, config)
    alone = deal(plan, seconds, tokens, 1).plan
    assert alone.order.tolist() == plan.order.tolist()
    assert alone.offsets.tolist() == plan.offsets.tolist()


@pytest.mark.parametrize("world_size", [2, 8])
def test_the_ranks_of_a_step_get_batches_that_are_alike(world_size: int) -> None:
    seconds, tokens = corpus(30_000)
    plan = plan_epoch(seconds, tokens, BatchConfig(budget=Budget(seconds=120)))
    ranks = deal(plan, seconds, tokens, world_size)
    assert ranks.repeated == 0
    longest = ranks.plan.max_seconds.reshape(-1, world_size)
    spread = longest.max(axis=1) / longest.min(axis=1)
    assert np.median(spread) < 1.1
    any_two = ranks.plan.max_seconds[np.random.default_rng(0).permutation(len(ranks.plan))]
    by_chance = any_two[: longest.size].reshape(-1, world_size)
    assert np.median(spread) - 1 < 0.2 * np.median(
        by_chance.max(axis=1) / by_chance.min(axis=1) - 1
    )
