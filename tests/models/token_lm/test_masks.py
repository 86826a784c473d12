import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.models.token_lm.masks import (
    LONGEST_PROMPT,
    SPAN,
    count_spans,
    draw_prompt,
    draw_singles,
    draw_spans,
    magnet_rate,
    maskgct_rate,
    span_rate,
)

DRAWS = 4000


@given(st.integers(3, 300), st.integers(0, 300))
def test_the_share_that_spans_hide_is_the_published_one(frames: int, spans: int) -> None:
    spans = min(spans, frames)
    expected = 1 - math.comb(frames - SPAN, spans) / math.comb(frames, spans)
    found = span_rate(torch.tensor(float(spans)), torch.tensor(frames))
    assert float(found) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 120), st.floats(0, 1), st.integers(0, 2**31))
def test_as_much_is_hidden_as_the_schedule_says_and_every_frame_as_often(
    frames: int, time: float, seed: int
) -> None:
    torch.manual_seed(seed)
    rate_B = magnet_rate(torch.full((DRAWS,), time))
    lengths_B = torch.full((DRAWS,), frames)
    counts_B = count_spans(rate_B, lengths_B, frames)
    holes_BT = draw_spans(counts_B, lengths_B, frames)
    wanted = float(rate_B[0])
    foretold = float(span_rate(counts_B[0], lengths_B[0]))
    # So few spans cannot hide less than one does, and one more or less is a span's share.
    assert wanted - 1e-6 <= foretold <= max(wanted, 0.0) + SPAN / frames + 1e-6
    rows_B = holes_BT.float().mean(1)
    # Each row is off by what its spans overlap, the mean of many by a small part of that.
    assert float(rows_B.mean()) == pytest.approx(foretold, abs=5 * float(rows_B.std()) / 63 + 1e-6)
    deviation = math.sqrt(foretold * (1 - foretold) / DRAWS)
    assert (holes_BT.float().mean(0) - foretold).abs().max() <= 6 * deviation + 1e-6


def test_spans_are_whole_and_stay_within_what_is_real() -> None:
    torch.manual_seed(0)
    lengths_B = torch.tensor([0, 1, 2, 3, 7, 40])
    holes_BT = draw_spans(torch.full((6,), 1), lengths_B, 40)
    assert holes_BT.sum(1).tolist() == [0, 1, 2, 3, 3, 3]
    assert not (holes_BT & (torch.arange(40) >= lengths_B[:, None])).any()


def test_the_schedules_run_from_all_to_none_and_from_none_to_all() -> None:
    times = torch.linspace(0, 1, 5)
    torch.testing.assert_close(magnet_rate(times), maskgct_rate(1 - times))
    assert float(magnet_rate(times[0])) == 1
    assert float(magnet_rate(times[1])) == pytest.approx(0.9239, abs=1e-4)


@given(st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**31))
def test_single_ids_are_hidden_at_their_rate_and_never_in_the_prompt(
    frames: int, rate: float, seed: int
) -> None:
    torch.manual_seed(seed)
    known_BT = draw_prompt(torch.tensor([frames]), frames, None)
    assert int(known_BT.sum()) <= LONGEST_PROMPT * frames
    holes_BT = draw_singles(torch.tensor([rate]), ~known_BT)
    free = int((~known_BT).sum())
    assert int(holes_BT.sum()) == max(round(rate * free), 1) or abs(rate * free % 1 - 0.5) < 1e-3
    assert not (holes_BT & known_BT).any()


def test_prompts_are_evenly_long_and_some_rows_have_none() -> None:
    torch.manual_seed(0)
    lengths_B = torch.full((DRAWS,), 100)
    without_B = torch.arange(DRAWS) < 10
    shares_B = draw_prompt(lengths_B, 100, without_B).float().mean(1)
    assert not shares_B[:10].any()
    assert float(shares_B[10:].mean()) == pytest.approx(0.2 - 0.005, abs=0.01)
    assert float(shares_B.max()) == pytest.approx(0.39, abs=0.01)
