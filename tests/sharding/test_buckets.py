from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.sharding.buckets import Floats, Ints, assign_buckets, equal_mass_bounds

LENGTHS = st.lists(
    st.tuples(st.floats(0.01, 1000) | st.sampled_from([1.0, 2.0]), st.integers(0, 5000)),
    max_size=200,
)
Lengths = list[tuple[float, int]]


def arrays(lengths: Lengths) -> tuple[Floats, Ints]:
    seconds = np.array([seconds for seconds, _ in lengths], np.float64)
    return seconds, np.array([tokens for _, tokens in lengths], np.int64)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 12), st.integers(1, 4))
def test_every_sample_has_the_first_bucket_that_it_fits(
    lengths: Lengths, num_buckets: int, num_sub_buckets: int
) -> None:
    seconds, tokens = arrays(lengths)
    buckets, where = assign_buckets(seconds, tokens, num_buckets, num_sub_buckets)
    assert len(where) == len(lengths)
    assert len(buckets) <= num_buckets * num_sub_buckets
    bounds = [(bucket.max_seconds, bucket.max_tokens) for bucket in buckets]
    assert bounds == sorted(set(bounds))
    for (length, count), bucket in zip(lengths, where.tolist(), strict=True):
        coarse = min(bound for bound, _ in bounds if bound >= length)
        fine = min(sub for bound, sub in bounds if bound == coarse and sub >= count)
        assert bounds[bucket] == (coarse, fine)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 12), st.integers(1, 4))
def test_no_bucket_is_empty_and_bounds_are_values_that_occur(
    lengths: Lengths, num_buckets: int, num_sub_buckets: int
) -> None:
    seconds, tokens = arrays(lengths)
    buckets, where = assign_buckets(seconds, tokens, num_buckets, num_sub_buckets)
    assert set(where.tolist()) == set(range(len(buckets)))
    assert {bucket.max_seconds for bucket in buckets} <= set(seconds.tolist())
    assert {bucket.max_tokens for bucket in buckets} <= set(tokens.tolist())
    assert len({bucket.name for bucket in buckets}) == len(buckets)


@settings(deadline=None)
@given(LENGTHS, st.randoms(use_true_random=False))
def test_buckets_do_not_depend_on_the_order_of_samples(lengths: Lengths, dice: Random) -> None:
    order = list(range(len(lengths)))
    dice.shuffle(order)
    buckets, where = assign_buckets(*arrays(lengths), 5, 2)
    again, moved = assign_buckets(*arrays([lengths[index] for index in order]), 5, 2)
    assert again == buckets
    assert moved.tolist() == where[order].tolist()


def test_parts_hold_about_equal_time_not_equal_counts() -> None:
    seconds = np.random.default_rng(0).lognormal(1.5, 1.0, 20_000)
    _, where = assign_buckets(seconds, np.zeros(len(seconds), np.int64), 10, 1)
    mass = np.bincount(where, seconds)
    assert np.all(np.abs(mass / mass.sum() - 0.1) < 0.01)
    counts = np.bincount(where)
    assert counts[0] > 10 * counts[-1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), max_size=100), st.integers(1, 20))
def test_bounds_rise_to_the_largest_value(values: list[int], parts: int) -> None:
    bounds = equal_mass_bounds(np.array(sorted(values), np.int64), parts).tolist()
    assert bounds == sorted(set(bounds))
    assert bounds[-1:] == ([max(values)] if values else [])
    assert len(bounds) <= parts
    assert set(bounds) <= set(values)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=100), st.integers(1, 20))
def test_a_part_holds_its_share_of_the_mass_and_at_most_one_value_more(
    values: list[int], parts: int
) -> None:
    bounds = equal_mass_bounds(np.array(sorted(values), np.int64), parts).tolist()
    below = 0
    for bound in bounds[:-1]:
        mass = sum(value for value in values if below < value <= bound)
        assert mass - values.count(bound) * bound < 1e-6 + sum(values) / parts
        below = bound


def test_equal_values_share_one_bucket_and_nothing_gives_none() -> None:
    assert equal_mass_bounds(np.full(100, 3.0), 10).tolist() == [3.0]
    assert equal_mass_bounds(np.zeros(5, np.int64), 4).tolist() == [0]
    buckets, where = assign_buckets(np.zeros(0), np.zeros(0, np.int64), 3, 2)
    assert (buckets, len(where)) == ([], 0)


def test_names_follow_the_bounds() -> None:
    seconds = np.arange(1, 101, dtype=np.float64)
    buckets, _ = assign_buckets(seconds, np.zeros(100, np.int64), 4, 1)
    assert [bucket.name for bucket in buckets] == [f"bucket-0{n}" for n in range(4)]
    assert buckets[-1].max_seconds == 100.0
