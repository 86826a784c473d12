import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wavemill.sharding.budget import BucketSize, Budget

NUMBERS = st.floats(0.001, 1e6)
LIMITS = st.one_of(st.none(), NUMBERS)
SIZES = st.lists(
    st.builds(
        BucketSize,
        max_seconds=NUMBERS,
        max_tokens=st.one_of(st.just(np.inf), st.floats(1, 1e5)),
        size=st.integers(1, 5000),
    ),
    max_size=3,
)


@given(
    LIMITS,
    st.one_of(st.none(), st.integers(1, 10**6)),
    LIMITS,
    SIZES,
    st.one_of(st.floats(1e-9, 1e6), st.integers(1, 100).map(lambda n: n / 10)),
    st.integers(0, 10**5),
)
def test_what_one_pair_of_lengths_allows_is_what_arrays_of_them_do(
    seconds: float | None,
    tokens: int | None,
    area: float | None,
    sizes: list[BucketSize],
    longest: float,
    most: int,
) -> None:
    if not sizes and (seconds, tokens, area) == (None, None, None):
        seconds = 60.0
    budget = Budget(seconds=seconds, tokens=tokens, area=area, sizes=sizes)
    assert budget.capacity_of(longest, most) == int(budget.capacity(longest, most))
