from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.models.memory.search import MAX_SIZE, TOLERANCE, Fit, find_sizes
from wavemill.sharding.buckets import Bucket

LIMIT = 1_000_000
PAIRS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 500)), min_size=1, max_size=20, unique=True
)
COSTS = st.tuples(st.integers(0, 2000), st.integers(1, 400), st.integers(0, 40), st.floats(0, 0.2))


def make_buckets(pairs: list[tuple[int, int]]) -> list[Bucket]:
    return [Bucket(name="", max_seconds=float(s), max_tokens=t) for s, t in pairs]


def ignore(_: int) -> None: ...


class Oracle:
    """A memory that says how much a step takes, or that it ran out, and remembers what was run."""

    def __init__(self, step: Callable[[int, int], float], says_how_much: bool) -> None:
        self.step, self.says_how_much = step, says_how_much
        self.runs: list[tuple[int, int]] = []

    def measure(self, number: int, size: int) -> int | None:
        self.runs.append((number, size))
        num_bytes = int(self.step(number, size))
        return num_bytes if num_bytes <= LIMIT or self.says_how_much else None


@given(PAIRS, COSTS, st.booleans())
def test_sizes_fit_are_nearly_the_largest_and_fall_with_the_bounds(
    pairs: list[tuple[int, int]], cost: tuple[int, int, int, float], says_how_much: bool
) -> None:
    fixed, a_second, a_token, curve = cost

    def step(number: int, size: int) -> float:
        seconds, tokens = pairs[number]
        length = a_second * seconds + a_token * tokens
        return fixed + size * length + curve * size * tokens**2

    oracle = Oracle(step, says_how_much)
    fits = find_sizes(make_buckets(pairs), oracle.measure, LIMIT, ignore)
    assert len(set(oracle.runs)) == len(oracle.runs)
    for number, (fit, (seconds, tokens)) in enumerate(zip(fits, pairs, strict=True)):
        assert fit.size >= 1
        assert (number, fit.size) in oracle.runs
        assert fit.num_bytes == int(step(number, fit.size)) <= LIMIT
        more = int(fit.size / (1 - TOLERANCE)) + 2
        assert (
            fit.size > MAX_SIZE * (1 - TOLERANCE)
            or all(step(number, more + extra) > LIMIT for extra in (0, fit.size))
            or _is_lowered(number, pairs, fits, more, step)
        )
        for other, (other_seconds, other_tokens) in zip(fits, pairs, strict=True):
            if other_seconds <= seconds and other_tokens <= tokens:
                assert other.size >= fit.size


def _is_lowered(
    number: int, pairs: list[tuple[int, int]], fits: list[Fit], more: int, step: Any
) -> bool:
    """Say whether a bucket within this one could not have had more, so this one was lowered."""
    seconds, tokens = pairs[number]
    return any(
        inner != number
        and fits[inner].size == fits[number].size
        and pair[0] <= seconds
        and pair[1] <= tokens
        and step(inner, more) > LIMIT
        for inner, pair in enumerate(pairs)
    )


def test_where_one_sample_does_not_fit_the_search_ends() -> None:
    oracle = Oracle(lambda number, size: size * (2 * LIMIT if number == 1 else 10), False)
    fits = find_sizes(make_buckets([(1, 1), (3, 3), (2, 2)]), oracle.measure, LIMIT, ignore)
    assert [fit.size for fit in fits] == [0, 0, 0]
    assert {number for number, _ in oracle.runs} == {1}


@pytest.mark.parametrize(("says_how_much", "most"), [(False, 8), (True, 4)])
def test_few_steps_are_run_and_progress_is_told(says_how_much: bool, most: int) -> None:
    pairs = [(seconds, 10 * seconds) for seconds in range(10, 40, 2)]
    oracle = Oracle(lambda number, size: 1000 + size * 300 * pairs[number][0], says_how_much)
    told: list[int] = []
    find_sizes(make_buckets(pairs), oracle.measure, LIMIT, told.append)
    assert told == list(range(1, len(pairs) + 1))
    assert len(oracle.runs) <= most * len(pairs)


def test_where_bytes_are_known_the_size_is_the_largest_of_all() -> None:
    oracle = Oracle(lambda _, size: 777 + 123.4 * size, True)
    (fit,) = find_sizes(make_buckets([(1, 1)]), oracle.measure, LIMIT, ignore)
    assert oracle.step(0, fit.size) <= LIMIT < oracle.step(0, fit.size + 1)


def test_a_memory_without_end_is_no_endless_search() -> None:
    oracle = Oracle(lambda _, __: 0, True)
    (fit,) = find_sizes(make_buckets([(1, 1)]), oracle.measure, LIMIT, ignore)
    assert fit == Fit(size=MAX_SIZE, num_bytes=0)
