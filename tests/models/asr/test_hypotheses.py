import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.models.asr.hypotheses import Hypothesis, Transcript, best, join, transcripts

scores = st.floats(-30, 0)


def spell(ids: Sequence[int]) -> str:
    """Two ids read alike: 0 and 9 are both nothing."""
    return "".join("abc"[one - 1] for one in ids if one not in (0, 9))


@given(st.lists(st.tuples(st.lists(st.sampled_from([0, 1, 2, 3, 9]), max_size=4), scores)))
def test_texts_are_the_best_of_those_that_read_alike_in_order(
    drawn: list[tuple[list[int], float]],
) -> None:
    hypotheses = [Hypothesis(ids=tuple(ids), log_probability=score) for ids, score in drawn]
    found = transcripts(hypotheses, spell, 3)
    expected: dict[str, float] = {}
    for one in hypotheses:
        text = spell(one.ids)
        expected[text] = max(expected.get(text, -1e9), one.score)
    assert [one.score for one in found] == sorted(expected.values(), reverse=True)[:3]
    assert all(one.score == expected[one.text] for one in found)
    assert len({one.text for one in found}) == len(found)


def test_the_score_counts_the_end_as_a_unit() -> None:
    one = Hypothesis(ids=(1, 2, 3), log_probability=-2.0)
    assert one.score == -0.5
    assert best([one, Hypothesis(ids=(), log_probability=-0.4)], 1)[0].ids == ()


said = st.tuples(st.text("ab", min_size=1, max_size=2), scores)
parts_said = st.lists(said, min_size=1, max_size=3, unique_by=lambda pair: pair[0])


@given(st.lists(parts_said, min_size=1, max_size=2))
def test_pieces_are_joined_in_the_best_of_all_ways(
    drawn: list[list[tuple[str, float]]],
) -> None:
    parts = [
        [Transcript(text=text, log_probability=score, units=len(text)) for text, score in part]
        for part in drawn
    ]
    for part in parts:
        part.sort(key=lambda one: -one.score)
    found = join(parts, 9)
    ways = []
    for way in itertools.product(*parts):
        units = sum(one.units for one in way) + len(way)
        ways.append(
            (" ".join(one.text for one in way), sum(o.log_probability for o in way) / units)
        )
    assert found[0].score == pytest.approx(max(score for _, score in ways))
    assert {one.text for one in found} == {text for text, _ in ways}
