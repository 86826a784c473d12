"""No minute sees more than it may."""

from hypothesis import given
from hypothesis import strategies as st

from wavemill.hypotheses.llm.rates import Flow


@given(
    amounts=st.lists(st.integers(1, 50), min_size=1, max_size=40),
    gaps=st.lists(st.floats(0, 20), min_size=40, max_size=40),
)
def test_what_flows_in_any_minute_is_what_may_and_one_more(
    amounts: list[int], gaps: list[float]
) -> None:
    clock = [0.0]
    flow = Flow(60, lambda: clock[0])
    starts = []
    for amount, gap in zip(amounts, gaps, strict=False):
        clock[0] += gap
        starts.append(clock[0] + flow.take(amount))
    assert starts == sorted(starts)
    for first, begin in enumerate(starts):
        within = [
            amount
            for amount, start in zip(amounts[first:], starts[first:], strict=True)
            if start < begin + 60
        ]
        assert sum(within[:-1]) <= 60 + 1e-6


def test_what_was_not_used_flows_again_and_a_hold_is_for_all() -> None:
    flow = Flow(60, lambda: 0.0)
    assert flow.take(30) == 0
    flow.give_back(20)
    assert flow.take(1) == 10
    flow.hold(100)
    assert flow.take(1) == 100
    assert Flow(None, lambda: 0.0).take(1e9) == 0
