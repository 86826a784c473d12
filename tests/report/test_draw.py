"""What is drawn is spread over all samples, once each, and the same each time."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.report.draw import draw_runs, pieces


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 300), max_size=20), st.integers(1, 500), st.integers(0, 2**64 - 1),
    st.integers(1, 150),
)  # fmt: skip
def test_samples_are_drawn_once_in_order_and_evenly(
    sizes: list[int], wanted: int, seed: int, run: int
) -> None:
    total = sum(sizes)
    runs = list(draw_runs(total, wanted, seed, run))
    assert runs == list(draw_runs(total, wanted, seed, run))
    positions = [at for first, last in runs for at in range(first, last)]
    assert positions == sorted(set(positions))
    assert all(0 <= at < total for at in positions)
    if total <= wanted:
        assert len(positions) == total
    else:
        assert wanted / 2 < len(positions) <= wanted
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(runs)]
        assert not gaps or max(gaps) - min(gaps) <= 1
    firsts = np.cumsum([0, *sizes])
    found = list(pieces(iter(runs), sizes))
    assert all(0 <= piece.first < piece.last <= sizes[piece.shard] for piece in found)
    assert positions == [
        int(firsts[piece.shard]) + at
        for piece in found
        for at in range(piece.first, piece.last)
    ]  # fmt: skip
