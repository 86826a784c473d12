"""From what recognizers yield to hypotheses that differ."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.errors import RejectedError
from wavemill.hypotheses.recognizers.distinct import MOST_TRIED, distinct
from wavemill.models.asr.hypotheses import Transcript

HEARD = st.lists(
    st.builds(
        Transcript,
        text=st.sampled_from(["a", "A", "b.", "B", "", "c d", "C  d"]),
        log_probability=st.floats(-50, 0),
        units=st.integers(0, 5),
    ),
    max_size=12,
)


def plain(text: str) -> str:
    return " ".join(text.lower().replace(".", "").split())


@given(heard=HEARD, count=st.integers(1, 5))
def test_texts_differ_and_the_first_of_those_that_read_alike_stays(
    heard: Sequence[Transcript], count: int
) -> None:
    found = distinct(heard, plain, count)
    texts = [one.text for one in found]
    assert texts == list(dict.fromkeys(t for t in (plain(one.text) for one in heard) if t))[:count]
    for one in found:
        first = next(other for other in heard if plain(other.text) == one.text)
        assert (one.raw, one.score) == (first.text, first.log_probability / (first.units + 1))


def test_no_more_is_asked_for_than_is_needed_nor_without_end() -> None:
    asked: list[str] = []

    def endless(texts: Sequence[str]) -> Iterator[Transcript]:
        while True:
            asked.append(texts[min(len(asked), len(texts) - 1)])
            yield Transcript(text=asked[-1], log_probability=-1.0, units=1)

    assert len(distinct(endless(["a", "b", "c"]), plain, 2)) == 2
    assert len(asked) == 2
    asked.clear()
    assert len(distinct(endless(["a"]), plain, 2)) == 1
    assert len(asked) == MOST_TRIED


def test_a_score_that_is_no_number_is_a_reason_to_reject() -> None:
    with pytest.raises(RejectedError, match="the score of 'a' is nan"):
        distinct([Transcript(text="a", log_probability=float("nan"), units=1)], plain, 1)
