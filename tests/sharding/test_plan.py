import dataclasses
import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sharding.reference_plan import plan_in_memory
from wavemill import columns
from wavemill.columns import on_disk
from wavemill.sharding import plan
from wavemill.sharding.bounds import bounds_by_pieces
from wavemill.sharding.buckets import Bucket, find_bounds
from wavemill.sharding.plan import Lengths, PlanConfig, ShardPlan

SAMPLES = st.lists(
    st.tuples(
        st.floats(0.05, 60) | st.sampled_from([1.0, 2.0]),
        st.integers(0, 500),
        st.integers(0, 5000),
        st.integers(0, 2**64 - 1),
    ),
    max_size=120,
    unique_by=lambda sample: sample[3],
)
CONFIGS = st.builds(
    PlanConfig,
    num_buckets=st.integers(1, 6),
    num_sub_buckets=st.integers(1, 3),
    shard_bytes=st.integers(1, 100_000),
    seed=st.integers(0, 2**63),
)
Samples = list[tuple[float, int, int, int]]
ONE_BUCKET = PlanConfig(num_buckets=1, num_sub_buckets=1, shard_bytes=1 << 40)


def lengths_of(samples: Samples) -> Lengths:
    seconds, tokens, num_bytes, keys = zip(*samples, strict=True) if samples else ((),) * 4
    return Lengths(
        unit=np.zeros(len(samples), np.int32),
        row=np.arange(len(samples), dtype=np.int32),
        seconds=np.array(seconds, np.float64),
        tokens=np.array(tokens, np.int64),
        num_bytes=np.array(num_bytes, np.int64),
        key=np.array(keys, np.uint64),
    )


def corpus(num_samples: int, num_bytes: int = 1000) -> Lengths:
    dice = np.random.default_rng(0)
    return lengths_of(
        [
            (float(dice.lognormal(1.5, 0.8)), 0, num_bytes, int(dice.integers(2**63)))
            for _ in range(num_samples)
        ]
    )


def plan_shards(
    lengths: Lengths, config: PlanConfig, most: int = plan.BIN
) -> tuple[list[Bucket], list[ShardPlan]]:
    """Plan; the row of a member is its position."""
    buckets, shards = plan.plan_shards(lengths, config, most)
    return buckets, list(shards)


def same(one: list[ShardPlan], other: list[ShardPlan]) -> bool:
    return [(s.bucket, s.number, s.row.tolist()) for s in one] == [
        (s.bucket, s.number, s.row.tolist()) for s in other
    ]


@settings(deadline=None)
@given(SAMPLES, CONFIGS)
def test_every_sample_is_in_exactly_one_shard_and_none_is_empty(
    samples: Samples, config: PlanConfig
) -> None:
    _, shards = plan_shards(lengths_of(samples), config)
    assert all(len(shard.row) for shard in shards)
    found = sorted(index for shard in shards for index in shard.row.tolist())
    assert found == list(range(len(samples)))


@settings(deadline=None)
@given(SAMPLES, CONFIGS)
def test_samples_keep_to_the_bounds_of_their_bucket(samples: Samples, config: PlanConfig) -> None:
    buckets, shards = plan_shards(lengths_of(samples), config)
    bounds = {bucket.name: bucket for bucket in buckets}
    for shard in shards:
        for index in shard.row.tolist():
            assert samples[index][0] <= bounds[shard.bucket].max_seconds
            assert samples[index][1] <= bounds[shard.bucket].max_tokens
    assert {shard.bucket for shard in shards} == set(bounds)


@settings(deadline=None)
@given(SAMPLES, CONFIGS)
def test_shards_of_a_bucket_are_numbered_from_zero(samples: Samples, config: PlanConfig) -> None:
    buckets, shards = plan_shards(lengths_of(samples), config)
    for bucket in buckets:
        numbers = [shard.number for shard in shards if shard.bucket == bucket.name]
        assert numbers == list(range(len(numbers)))


@settings(deadline=None)
@given(SAMPLES, CONFIGS)
def test_a_shard_is_at_most_one_sample_over_its_target(
    samples: Samples, config: PlanConfig
) -> None:
    _, shards = plan_shards(lengths_of(samples), config)
    for shard in shards:
        sizes = [samples[index][2] for index in shard.row.tolist()]
        assert sum(sizes) < config.shard_bytes + max(sizes) + 1


@settings(deadline=None)
@given(SAMPLES, CONFIGS)
def test_the_same_seed_gives_the_same_plan(samples: Samples, config: PlanConfig) -> None:
    one = plan_shards(lengths_of(samples), config)
    other = plan_shards(lengths_of(samples), dataclasses.replace(config))
    assert one[0] == other[0]
    assert same(one[1], other[1])


@settings(deadline=None)
@given(SAMPLES, CONFIGS, st.data())
def test_a_sample_more_or_less_does_not_reorder_the_others(
    samples: Samples, config: PlanConfig, data: st.DataObject
) -> None:
    lost = data.draw(st.sampled_from(range(len(samples)))) if samples else 0
    config = dataclasses.replace(config, num_buckets=1, num_sub_buckets=1)
    _, before = plan_shards(lengths_of(samples), config)
    fewer = [*samples[:lost], *samples[lost + 1 :]]
    _, after = plan_shards(lengths_of(fewer), config)
    order = [samples[i][3] for shard in before for i in shard.row.tolist()]
    left = [fewer[i][3] for shard in after for i in shard.row.tolist()]
    assert left == [key for key in order if not samples or key != samples[lost][3]]


@settings(deadline=None)
@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_the_input_makes_no_difference(samples: Samples, dice: Random) -> None:
    shuffled = list(samples)
    dice.shuffle(shuffled)
    config = PlanConfig(num_buckets=3, num_sub_buckets=2, shard_bytes=10_000)
    _, one = plan_shards(lengths_of(samples), config)
    _, other = plan_shards(lengths_of(shuffled), config)
    assert [[samples[i][3] for i in shard.row.tolist()] for shard in one] == [
        [shuffled[i][3] for i in shard.row.tolist()] for shard in other
    ]


def test_another_seed_gives_another_order() -> None:
    lengths = corpus(1000)
    orders = []
    for seed in (0, 1, 2, 10**18):
        _, shards = plan_shards(lengths, dataclasses.replace(ONE_BUCKET, seed=seed))
        orders.append(np.argsort(shards[0].row))
    for index, one in enumerate(orders):
        assert abs(np.corrcoef(one, np.arange(1000))[0, 1]) < 0.15  # nor is it the input's
        for other in orders[index + 1 :]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.15


def test_shards_of_a_bucket_are_about_equal() -> None:
    _, shards = plan_shards(corpus(1000), dataclasses.replace(ONE_BUCKET, shard_bytes=300_000))
    assert [len(shard.row) for shard in shards] == [250, 250, 250, 250]


def test_samples_bigger_than_a_shard_get_one_each() -> None:
    _, shards = plan_shards(corpus(10), dataclasses.replace(ONE_BUCKET, shard_bytes=10))
    assert [len(shard.row) for shard in shards] == [1] * 10


def test_nothing_gives_no_buckets() -> None:
    assert plan_shards(lengths_of([]), ONE_BUCKET) == ([], [])


@settings(deadline=None)
@given(SAMPLES, CONFIGS, st.integers(1, 50))
def test_a_plan_by_pieces_is_the_one_made_in_memory(
    samples: Samples, config: PlanConfig, most: int
) -> None:
    lengths = lengths_of(samples)
    buckets, shards = plan_shards(lengths, config, most)
    expected = plan_in_memory(lengths, config)
    assert (buckets, [(s.bucket, s.number, s.row.tolist()) for s in shards]) == expected


@pytest.mark.parametrize("most", [1 << 10, 1 << 14])
def test_a_large_plan_by_pieces_is_the_one_made_in_memory(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "PIECE", 1000)
    monkeypatch.setattr(plan, "MOST_BINS", 40)
    dice = np.random.default_rng(1)
    lengths = Lengths(
        unit=np.zeros(50_000, np.int32),
        row=np.arange(50_000, dtype=np.int32),
        seconds=np.round(dice.lognormal(1.5, 0.8, 50_000), 1) + 0.1,  # many are equal
        tokens=dice.integers(0, 300, 50_000),
        num_bytes=dice.integers(0, 5000, 50_000),
        key=dice.integers(0, 2**64, 50_000, dtype=np.uint64) // 7 * 7,
    )
    config = PlanConfig(num_buckets=7, num_sub_buckets=3, shard_bytes=300_000, seed=4)
    buckets, shards = plan_shards(lengths, config, most)
    expected = plan_in_memory(lengths, config)
    assert (buckets, [(s.bucket, s.number, s.row.tolist()) for s in shards]) == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 1000) | st.sampled_from([1.0, 2.0]), st.integers(0, 500))),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 30),
)
def test_bounds_by_pieces_are_those_found_in_memory(
    samples: list[tuple[float, int]], num_buckets: int, num_sub_buckets: int, at_once: int
) -> None:
    if not samples:
        return
    seconds = np.array([seconds for seconds, _ in samples], np.float64)
    tokens = np.array([tokens for _, tokens in samples], np.int64)
    found = bounds_by_pieces(seconds, tokens, num_buckets, num_sub_buckets, at_once)
    order = np.argsort(seconds)
    expected = find_bounds(seconds[order], tokens[order], num_buckets, num_sub_buckets)
    assert found.buckets == expected.buckets


def peak_of(count: int) -> int:
    """Return the most memory that a plan of so many samples takes, beside what is mapped."""
    dice = np.random.default_rng(2)
    lengths = Lengths(
        unit=on_disk([np.arange(count) // 40], np.int32),
        row=on_disk([np.arange(count) % 40], np.int32),
        seconds=on_disk([dice.lognormal(1.5, 0.8, count)], np.float64),
        tokens=on_disk([dice.integers(0, 300, count)], np.int64),
        num_bytes=on_disk([np.full(count, 1000)], np.int64),
        key=on_disk([dice.integers(0, 2**64, count, np.uint64)], np.uint64),
    )
    config = PlanConfig(num_buckets=10, num_sub_buckets=2, shard_bytes=1_000_000)
    tracemalloc.start()
    try:
        _, shards = plan.plan_shards(lengths, config, 1 << 14)
        assert sum(len(shard.row) for shard in shards) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_plan_of_more_samples_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "PIECE", 1 << 12)
    few, many = peak_of(200_000), peak_of(800_000)
    assert many < 2 * few  # the bins' open files; there are never more than so many
    assert many < 800_000 * 40 / 6  # what is known of all samples takes six times as much
