"""The vote says what most hypotheses say."""

from collections.abc import Sequence

import pytest
from hypothesis import given

from tests.hypotheses.drawn import UTTERANCES
from wavemill.hypotheses.records import Hypothesis, Utterance
from wavemill.hypotheses.scoring.vote import vote


def hypotheses(texts: Sequence[str], scores: Sequence[float] | None = None) -> list[Hypothesis]:
    return [
        Hypothesis(text=text, score=score)
        for text, score in zip(texts, scores or [0.0] * len(texts), strict=True)
    ]


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        (["the bat sat", "the cat sat", "a cat sat"], "the cat sat"),
        (["the cat sat", "the cat sat down", "a cat sat down"], "the cat sat down"),
        (["the cat uh sat", "the cat sat", "a cat sat"], "the cat sat"),
        (["cat sat", "a cat sat", "a cat sat on", "the cat sat on"], "a cat sat"),
        (["cat sat", "a cat sat", "a cat sat on", "cat sat on", "the cat sat on"], "cat sat on"),
        (["the cat", "a cat", "one cat"], "the cat"),
        (["the cat", "a cat"], "the cat"),
        (["", "a cat", "a cat"], "a cat"),
        ([], ""),
    ],
)  # fmt: skip
def test_each_place_goes_to_the_majority_and_a_tie_to_the_better(
    texts: Sequence[str], text: str
) -> None:
    assert vote(hypotheses(texts)) == text


def test_scores_weigh() -> None:
    texts = ["the bat", "the cat", "a cat"]
    assert vote(hypotheses(texts, [-0.1, -0.2, -0.3])) == "the cat"
    assert vote(hypotheses(texts, [-0.1, -9, -9])) == "the bat"
    assert vote(hypotheses(texts, [float("nan"), float("-inf"), float("-inf")])) == "the cat"


@given(UTTERANCES)
def test_a_vote_is_made_of_words_that_were_heard(utterance: Utterance) -> None:
    heard = {word for text in utterance.texts for word in text.split()}
    assert set(vote(utterance.hypotheses).split()) <= heard
