import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import UsageError
from wavemill.sharding.batches import BatchConfig, measure_padding, plan_batches
from wavemill.sharding.buckets import Floats, Ints, assign_buckets

LENGTHS = st.lists(st.tuples(st.floats(0.05, 60), st.integers(0, 500)), max_size=150)
CONFIGS = st.builds(
    BatchConfig,
    batch_seconds=st.floats(0.1, 300),
    num_buckets=st.integers(1, 8),
    num_sub_buckets=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    epoch=st.integers(0, 1000),
)
Lengths = list[tuple[float, int]]


def arrays(lengths: Lengths) -> tuple[Floats, Ints]:
    seconds = np.array([seconds for seconds, _ in lengths], np.float64)
    return seconds, np.array([tokens for _, tokens in lengths], np.int64)


def plan(lengths: Lengths, config: BatchConfig) -> list[list[int]]:
    return [batch.tolist() for batch in plan_batches(*arrays(lengths), config)]


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
    for batch in plan(lengths, config):
        longest = max(lengths[index][0] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= config.batch_seconds


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_a_batch_holds_samples_of_one_bucket(lengths: Lengths, config: BatchConfig) -> None:
    _, where = assign_buckets(*arrays(lengths), config.num_buckets, config.num_sub_buckets)
    for batch in plan(lengths, config):
        assert len({int(where[index]) for index in batch}) == 1


@settings(deadline=None)
@given(LENGTHS, CONFIGS)
def test_the_same_seed_and_epoch_give_the_same_batches(
    lengths: Lengths, config: BatchConfig
) -> None:
    assert plan(lengths, config) == plan(lengths, dataclasses.replace(config))


def test_another_seed_or_epoch_gives_other_batches() -> None:
    seconds, tokens = corpus(500)
    base = BatchConfig(batch_seconds=60, num_buckets=3, num_sub_buckets=1)
    others = [base, *(dataclasses.replace(base, epoch=n) for n in (1, 2)),
              dataclasses.replace(base, seed=1)]  # fmt: skip
    made = [
        {frozenset(batch.tolist()) for batch in plan_batches(seconds, tokens, config)}
        for config in others
    ]
    for index, one in enumerate(made):
        for other in made[index + 1 :]:
            assert len(one & other) < 0.2 * len(one)


def test_batches_of_all_lengths_come_in_a_random_order() -> None:
    seconds, tokens = corpus(2000)
    batches = plan_batches(seconds, tokens, BatchConfig(batch_seconds=60))
    longest = np.array([seconds[batch].max() for batch in batches])
    assert abs(np.corrcoef(longest[1:], longest[:-1])[0, 1]) < 0.2


def test_batches_use_most_of_the_budget_and_buckets_save_padding() -> None:
    seconds, tokens = corpus(30_000)
    config = BatchConfig(batch_seconds=120)
    batches = plan_batches(seconds, tokens, config)
    fill = sum(float(seconds[batch].max()) * len(batch) for batch in batches) / len(batches)
    assert fill > 0.8 * 120
    unsorted = plan_batches(seconds, tokens, dataclasses.replace(config, num_buckets=1))
    padding, without = (measure_padding(seconds, tokens, made) for made in (batches, unsorted))
    assert padding.input < 0.1
    assert without.input > 0.3
    assert padding.tokens < without.tokens


def test_padding_is_what_the_longest_adds() -> None:
    seconds, tokens = np.array([1.0, 3.0, 5.0]), np.array([10, 10, 40])
    padding = measure_padding(seconds, tokens, [np.array([0, 1]), np.array([2])])
    assert padding.input == pytest.approx(2 / 11)
    assert padding.tokens == 0
    nothing = measure_padding(np.zeros(0), np.zeros(0, np.int64), [])
    assert (nothing.input, nothing.tokens) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("settings_", "option"),
    [
        ({"batch_seconds": 0.0}, "--batch-seconds"),
        ({"batch_seconds": float("nan")}, "--batch-seconds"),
        ({"batch_seconds": float("inf")}, "--batch-seconds"),
        ({"batch_seconds": 1.0, "num_buckets": 10**9}, "--buckets"),
        ({"batch_seconds": 1.0, "num_sub_buckets": 10**9}, "--sub-buckets"),
        ({"batch_seconds": 1.0, "seed": 2**63}, "--seed"),
        ({"batch_seconds": 1.0, "epoch": 2**63}, "--epoch"),
        ({"batch_seconds": 1.0, "num_buckets": 0}, "--buckets"),
        ({"batch_seconds": 1.0, "num_sub_buckets": 0}, "--sub-buckets"),
        ({"batch_seconds": 1.0, "seed": -1}, "--seed"),
        ({"batch_seconds": 1.0, "epoch": -1}, "--epoch"),
    ],
)
def test_settings_out_of_range_are_refused(settings_: dict[str, float], option: str) -> None:
    with pytest.raises(UsageError, match=option):
        BatchConfig(**settings_)  # type: ignore[arg-type]
