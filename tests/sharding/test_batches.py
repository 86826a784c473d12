import dataclasses
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import UsageError
from wavemill.sharding.batches import BatchConfig, EpochPlan, measure_padding, plan_epoch
from wavemill.sharding.buckets import Floats, Ints
from wavemill.sharding.budget import BucketSize, Budget

LENGTHS = st.lists(
    st.tuples(
        st.floats(0.05, 60) | st.sampled_from([1.0, 2.0, 5e6]),
        st.integers(0, 500) | st.sampled_from([0, 10, 10**12]),
    ),
    max_size=150,
)
PROFILES = st.lists(
    st.builds(
        BucketSize,
        max_seconds=st.floats(1, 60),
        max_tokens=st.floats(1, 500) | st.just(float("inf")),
        size=st.integers(1, 20),
    ),
    min_size=1,
    max_size=4,
)
BUDGETS = st.one_of(
    st.builds(Budget, seconds=st.floats(0.1, 300)),
    st.builds(Budget, tokens=st.integers(1, 3000)),
    st.builds(Budget, area=st.floats(0.1, 30_000)),
    st.builds(Budget, sizes=PROFILES),
    st.builds(Budget, seconds=st.floats(0.1, 300), tokens=st.integers(1, 3000), sizes=PROFILES),
)
CONFIGS = st.builds(
    BatchConfig,
    budget=BUDGETS,
    pool=st.floats(1, 20),
    num_buckets=st.integers(1, 8),
    num_sub_buckets=st.integers(1, 3),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 1000),
)
Lengths = list[tuple[float, int]]


def arrays(lengths: Lengths) -> tuple[Floats, Ints]:
    seconds = np.array([seconds for seconds, _ in lengths], np.float64)
    return seconds, np.array([tokens for _, tokens in lengths], np.int64)


def batches_of(plan: EpochPlan) -> list[list[int]]:
    return [plan.batch(number).tolist() for number in range(len(plan))]


def plan(lengths: Lengths, config: BatchConfig) -> list[list[int]]:
    return batches_of(plan_epoch(*arrays(lengths), config))


def corpus(num_samples: int) -> tuple[Floats, Ints]:
    dice = np.random.default_rng(0)
    seconds = dice.lognormal(1.5, 0.8, num_samples)
    return seconds, (seconds * 50 * dice.uniform(0.5, 1.5, num_samples)).astype(np.int64)


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_every_sample_is_in_exactly_one_batch(lengths: Lengths, config: BatchConfig) -> None:
    batches = plan(lengths, config)
    assert all(batches)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_no_batch_is_over_the_budget_but_a_single_long_sample(
    lengths: Lengths, config: BatchConfig
) -> None:
    budget = config.budget
    for batch in plan(lengths, config):
        longest = max(lengths[index][0] for index in batch)
        most = max(lengths[index][1] for index in batch)
        if len(batch) == 1:
            continue
        assert budget.seconds is None or longest * len(batch) <= budget.seconds
        assert budget.tokens is None or max(most, 1) * len(batch) <= budget.tokens
        assert budget.area is None or longest * max(most, 1) * len(batch) <= budget.area * 1.000001
        assert not budget.sizes or any(
            len(batch) <= bucket.size
            for bucket in budget.sizes
            if longest <= bucket.max_seconds and most <= bucket.max_tokens
        )


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_a_batch_is_described_truly_and_lies_within_its_bucket(
    lengths: Lengths, config: BatchConfig
) -> None:
    plan = plan_epoch(*arrays(lengths), config)
    for number, batch in enumerate(batches_of(plan)):
        bucket = plan.buckets[plan.bucket_of_batch[number]]
        assert plan.max_seconds[number] == max(lengths[index][0] for index in batch)
        assert plan.max_tokens[number] == max(lengths[index][1] for index in batch)
        assert plan.max_seconds[number] <= bucket.max_seconds
        assert plan.max_tokens[number] <= bucket.max_tokens
        assert len(batch) == plan.sizes[number] <= bucket.size
    assert set(plan.bucket_of_batch.tolist()) == set(range(len(plan.buckets)))
    assert len(plan.buckets) <= config.num_buckets * config.num_sub_buckets


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_the_same_seed_and_epoch_give_the_same_batches(
    lengths: Lengths, config: BatchConfig
) -> None:
    assert plan(lengths, config) == plan(lengths, dataclasses.replace(config))


@settings(deadline=None)
@given(LENGTHS, CONFIGS, st.randoms(use_true_random=False))
def test_with_keys_the_order_of_samples_does_not_matter(
    lengths: Lengths, config: BatchConfig, dice: Random
) -> None:
    keys = np.arange(len(lengths), dtype=np.uint64) * np.uint64(7919)
    moved = list(range(len(lengths)))
    dice.shuffle(moved)
    one = plan_epoch(*arrays(lengths), config, keys)
    other = plan_epoch(*arrays([lengths[index] for index in moved]), config, keys[moved])
    assert batches_of(one) == [[moved[index] for index in batch] for batch in batches_of(other)]


def overlap(one: EpochPlan, other: EpochPlan) -> float:
    """Return the mean Jaccard overlap of a sample's neighbours in two epochs."""
    shared = []
    places = [{i: set(batch) for batch in batches_of(plan) for i in batch} for plan in (one, other)]
    for sample in range(0, len(one.order), 13):
        ours, theirs = (place[sample] - {sample} for place in places)
        if ours | theirs:
            shared.append(len(ours & theirs) / len(ours | theirs))
    return float(np.mean(shared))


def test_another_seed_or_epoch_gives_other_batches() -> None:
    seconds, tokens = corpus(20_000)
    base = BatchConfig(budget=Budget(seconds=120))
    first = plan_epoch(seconds, tokens, base)
    for seed, epoch in ((0, 1), (0, 2), (1, 0)):
        changed = dataclasses.replace(base, seed=seed, epoch=epoch)
        other = plan_epoch(seconds, tokens, changed)
        assert overlap(first, other) < 0.1


def test_a_larger_pool_repeats_fewer_neighbours_and_pads_more() -> None:
    seconds, tokens = corpus(20_000)
    found = []
    for pool in (1.0, 4.0, 16.0):
        config = BatchConfig(budget=Budget(seconds=120), pool=pool)
        plans = [plan_epoch(seconds, tokens, dataclasses.replace(config, epoch=n)) for n in (0, 1)]
        padding = measure_padding(seconds, tokens, plans[0])
        found.append((overlap(*plans), -padding.input - padding.tokens))
    assert found == sorted(found, reverse=True)
    assert found[0][0] > 5 * found[2][0]


def test_batches_of_all_lengths_come_in_a_random_order() -> None:
    seconds, tokens = corpus(2000)
    longest = plan_epoch(seconds, tokens, BatchConfig(budget=Budget(seconds=60))).max_seconds
    assert abs(np.corrcoef(longest[1:], longest[:-1])[0, 1]) < 0.2


@pytest.mark.parametrize(
    "budget", [Budget(seconds=120), Budget(tokens=6000), Budget(area=120 * 250.0)]
)
def test_batches_are_full_and_pad_both_lengths_little(budget: Budget) -> None:
    seconds, tokens = corpus(60_000)
    plan = plan_epoch(seconds, tokens, BatchConfig(budget=budget))
    padding = measure_padding(seconds, tokens, plan)
    assert padding.input < 0.06
    assert padding.tokens < 0.06
    assert budget.fullness(plan.sizes, plan.max_seconds, plan.max_tokens).mean() > 0.9


def test_short_samples_that_share_a_strip_with_long_ones_fill_their_batches() -> None:
    dice = np.random.default_rng(0)
    seconds = dice.normal(3, 0.5, 60_000) * dice.choice([1, 9], 60_000)
    seconds, budget = seconds.clip(0.3, 40), Budget(seconds=360)
    tokens = (seconds * dice.choice([5, 25], 60_000)).astype(np.int64)
    plan = plan_epoch(seconds, tokens, BatchConfig(budget=budget))
    full = budget.fullness(plan.sizes, plan.max_seconds, plan.max_tokens)
    assert full[plan.max_seconds < 6].mean() > 0.95


def test_the_sizes_of_a_profile_are_used_where_they_hold() -> None:
    seconds, tokens = corpus(20_000)
    sizes = [
        BucketSize(max_seconds=5.0, max_tokens=400, size=40),
        BucketSize(max_seconds=100.0, max_tokens=10**6, size=7),
    ]
    plan = plan_epoch(seconds, tokens, BatchConfig(budget=Budget(sizes=sizes)))
    short = (plan.max_seconds <= 5.0) & (plan.max_tokens <= 400)
    assert np.median(plan.sizes[short]) == 40
    assert np.median(plan.sizes[~short]) == 7
    assert plan.sizes[~short].max() == 7


def test_lengths_that_are_all_equal_leave_nothing_to_pad_and_all_to_chance() -> None:
    seconds, tokens = np.full(5000, 7.0), np.full(5000, 30)
    config = BatchConfig(budget=Budget(seconds=70))
    plans = [plan_epoch(seconds, tokens, dataclasses.replace(config, epoch=n)) for n in (0, 1)]
    assert measure_padding(seconds, tokens, plans[0]).input == 0
    assert len(plans[0]) == 500
    assert overlap(*plans) < 0.01


def test_whole_seconds_and_no_tokens_are_packed_too() -> None:
    seconds = np.ceil(corpus(20_000)[0])
    plan = plan_epoch(seconds, np.zeros(20_000, np.int64), BatchConfig(budget=Budget(seconds=120)))
    padding = measure_padding(seconds, np.zeros(20_000, np.int64), plan)
    assert padding.input < 0.02
    assert padding.tokens == 0


def test_a_few_very_long_samples_do_not_spoil_the_others() -> None:
    seconds, tokens = corpus(20_000)
    config = BatchConfig(budget=Budget(seconds=120))
    usual = measure_padding(seconds, tokens, plan_epoch(seconds, tokens, config))
    longer = np.append(seconds, seconds[:3] * 1e5)
    plan = plan_epoch(longer, np.append(tokens, tokens[:3]), config)
    rest = plan.max_seconds < 1000
    padded = (plan.sizes * plan.max_seconds)[rest].sum()
    assert (~rest).sum() == 3
    assert 1 - seconds.sum() / padded < 1.1 * usual.input


def test_padding_is_what_the_longest_adds() -> None:
    seconds, tokens = np.array([1.0, 3.0, 5.0]), np.array([10, 10, 40])
    plan = EpochPlan(
        order=np.arange(3),
        offsets=np.array([0, 2, 3]),
        max_seconds=np.array([3.0, 5.0]),
        max_tokens=np.array([10, 40]),
        bucket_of_batch=np.zeros(2, np.int64),
        buckets=[],
    )
    padding = measure_padding(seconds, tokens, plan)
    assert padding.input == pytest.approx(2 / 11)
    assert padding.tokens == 0
    nothing = plan_epoch(np.zeros(0), np.zeros(0, np.int64), BatchConfig(budget=Budget(seconds=1)))
    assert measure_padding(np.zeros(0), np.zeros(0, np.int64), nothing).input == 0.0


@pytest.mark.parametrize(
    ("settings_", "option"),
    [
        ({"pool": 0.5}, "--pool"),
        ({"pool": float("nan")}, "--pool"),
        ({"num_buckets": 10**9}, "--buckets"),
        ({"num_sub_buckets": 10**9}, "--sub-buckets"),
        ({"seed": 2**63}, "--seed"),
        ({"epoch": 2**63}, "--epoch"),
        ({"num_buckets": 0}, "--buckets"),
        ({"num_sub_buckets": 0}, "--sub-buckets"),
        ({"seed": -1}, "--seed"),
        ({"epoch": -1}, "--epoch"),
    ],
)
def test_settings_out_of_range_are_refused(settings_: dict[str, float], option: str) -> None:
    with pytest.raises(UsageError, match=option):
        BatchConfig(budget=Budget(seconds=1.0), **settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "option"),
    [
        ({}, "--batch-seconds, --batch-tokens, --batch-area or --profile"),
        ({"seconds": 0.0}, "--batch-seconds"),
        ({"seconds": float("nan")}, "--batch-seconds"),
        ({"seconds": float("inf")}, "--batch-seconds"),
        ({"tokens": 0}, "--batch-tokens"),
        ({"area": -1.0}, "--batch-area"),
    ],
)
def test_limits_out_of_range_are_refused(limits: dict[str, float], option: str) -> None:
    with pytest.raises(UsageError, match=option):
        Budget(**limits)  # type: ignore[arg-type]
