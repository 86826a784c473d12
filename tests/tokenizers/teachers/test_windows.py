"""Windows cover every step once, with context on both sides."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wavemill.tokenizers.teachers.base import Features
from wavemill.tokenizers.teachers.windows import in_windows, windows


@given(st.integers(1, 500), st.integers(1, 40), st.integers(0, 10))
def test_every_step_counts_once_in_order_and_no_window_is_too_long(
    steps: int, counted: int, context: int
) -> None:
    longest = counted + 2 * context
    cut = list(windows(steps, longest, context))
    assert [step for one in cut for step in range(one.first, one.last)] == list(range(steps))
    for one in cut:
        assert one.stop - one.start <= longest
        assert one.start <= one.first < one.last <= one.stop
        assert one.start in (0, one.first - context)
        assert one.stop in (steps, one.last + context)


def test_a_clip_that_fits_is_one_window() -> None:
    assert list(windows(30, 30, 5)) == [(0, 30, 0, 30)]


@given(st.integers(1, 200), st.integers(1, 3))
def test_features_that_need_no_context_are_those_of_the_whole(steps: int, width: int) -> None:
    whole = np.arange(steps * width, dtype=np.float32)[:, None]

    def encode(start: int, stop: int) -> Features:
        return whole[start * width : stop * width]

    assert np.array_equal(in_windows(steps, 30, 5, encode, width), whole)
