"""What is misheard sounds alike, is as wrong as asked, and the same each time."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.confusions.conftest import TEXTS
from wavemill.hypotheses.confusions.calibrate import Wrongness, calibrate, measure
from wavemill.hypotheses.confusions.mishear import (
    Mishearer,
    Place,
    Tuning,
    _ways,
    best,
    hypotheses,
)
from wavemill.hypotheses.confusions.neighbours import Neighbours
from wavemill.hypotheses.confusions.pronounce import Pronouncer

TUNING = Tuning(trust=3.0, noise=1.0)


@pytest.fixture(scope="module")
def sausages(neighbours: Neighbours) -> list[list[Place]]:
    mishearer = Mishearer(neighbours, 0)
    return [mishearer.sausage(text, text) for text in TEXTS]


def test_words_that_sound_alike_are_found(neighbours: Neighbours, pronouncer: Pronouncer) -> None:
    assert neighbours.near(pronouncer.say("their"), 3)[0][0] in ("their", "there", "they're")
    assert "goodbye" in [words for words, _ in neighbours.of_two("good", "buy", 6)]
    heard = dict(neighbours.of_word("the", 12))
    assert {"a", "", "the a"} <= set(heard)
    assert "the" not in heard
    assert heard["a"] > heard["the that"]


def test_the_same_seed_and_text_are_heard_alike_and_others_not(
    neighbours: Neighbours, sausages: list[list[Place]]
) -> None:
    again = [Mishearer(neighbours, 0).sausage(text, text) for text in TEXTS]
    other = [Mishearer(neighbours, 1).sausage(text, text) for text in TEXTS]
    heard = [[hypotheses(one, TUNING, 5) for one in some] for some in (sausages, again, other)]
    assert heard[0] == heard[1] != heard[2]


def test_hypotheses_are_distinct_and_the_best_first(sausages: list[list[Place]]) -> None:
    for places in sausages:
        found = hypotheses(places, TUNING, 5)
        scores = [one.score for one in found]
        assert len({one.text for one in found}) == 5
        assert scores == sorted(scores, reverse=True)
        assert best(places, TUNING) == found[0].text
    assert hypotheses([], TUNING, 5) == ()


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(-9, 0), min_size=1, max_size=4), min_size=1, max_size=4))
def test_ways_come_in_the_order_of_their_chances_and_each_once(rows: list[list[float]]) -> None:
    chances = [np.array(row) for row in rows]
    ways = list(_ways(chances))
    assert len({way for _, way in ways}) == len(ways) == math.prod(map(len, rows))
    totals = [total for total, _ in ways]
    assert totals == pytest.approx(sorted(totals, reverse=True))
    for total, way in ways:
        assert total == pytest.approx(sum(row[at] for row, at in zip(rows, way, strict=True)))


@pytest.mark.parametrize("target", [(0.1, 0.05), (0.25, 0.12)])
def test_the_error_rate_comes_near_the_target(
    target: tuple[float, float], sausages: Sequence[list[Place]], pronouncer: Pronouncer
) -> None:
    wanted = Wrongness(wer=target[0], phone_distance=target[1])
    tuning, found = calibrate(TEXTS, sausages, wanted, pronouncer)
    # Of 47 words: an error more or less is 2 %.
    assert found.wer == pytest.approx(wanted.wer, abs=0.05)
    assert found.phone_distance == pytest.approx(wanted.phone_distance, abs=0.06)
    heard = [best(places, tuning) for places in sausages]
    assert measure(list(zip(TEXTS, heard, strict=True)), pronouncer) == found
