import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.models.training.schedule import SCHEDULES, rate

STEPS = st.integers(1, 10_000)


@given(name=st.sampled_from(sorted(SCHEDULES)), steps=STEPS, warmup=st.integers(0, 10_000))
def test_a_rate_rises_in_the_warm_up_and_never_again(name: str, steps: int, warmup: int) -> None:
    rates = [rate(name, step, warmup, steps) for step in range(min(steps, 300))]
    assert all(0 < one <= 1 + 1e-9 for one in rates)
    rising, falling = rates[:warmup], rates[warmup:]
    if name not in {"linear", "cosine"}:
        assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_a_tenth_is_left_at_the_end(name: str) -> None:
    assert rate(name, 999, 10, 1000) == pytest.approx(0.1)
    assert rate(name, 9, 10, 1000) == pytest.approx(1.0)


def test_the_inverse_square_root_halves_at_four_times_the_warm_up() -> None:
    assert rate("inverse-sqrt", 399, 100, 10**6) == pytest.approx(0.5)
