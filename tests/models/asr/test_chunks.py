import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.models.asr.chunks import chunks

RATE = 1000


@given(
    st.lists(st.integers(0, 900), max_size=12),
    st.floats(0.001, 2.0),
    st.integers(0, 1000),
)
def test_pieces_are_all_of_the_audio_and_none_is_too_long(
    sizes: list[int], seconds: float, seed: int
) -> None:
    dice = np.random.default_rng(seed)
    blocks = [dice.standard_normal(size).astype(np.float32) for size in sizes]
    pieces = list(chunks(blocks, RATE, seconds))
    whole = np.concatenate([np.zeros(0, np.float32), *blocks])
    np.testing.assert_array_equal(np.concatenate([whole[:0], *pieces]), whole)
    assert all(1 <= len(piece) <= max(round(seconds * RATE), 1) for piece in pieces)


def test_a_cut_is_where_it_is_quietest() -> None:
    audio = np.ones(3000, np.float32)
    audio[1600:1900] = 0.01
    audio[500:800] = 0.0  # too early to be looked at
    first, *_ = chunks([audio], RATE, 2.0)
    assert len(first) == pytest.approx(1750, abs=60)
