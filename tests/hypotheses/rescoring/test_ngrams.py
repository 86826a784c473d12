"""The n-gram model gives all words together probability 1, and likely ones more."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hypotheses.drawn import WORDS
from wavemill.hypotheses.rescoring.ngrams import BEGIN, END, UNKNOWN, NgramModel

TEXTS = ["the cat sat on the mat", "the cat ran", "a cat sat", "the dog ran on"]


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS, st.integers(1, 4))
def test_all_words_that_can_come_next_have_one_together(
    sentences: list[list[str]], before: list[str], order: int
) -> None:
    model = NgramModel(sentences, order)
    for context in (before[-order:], [BEGIN, *before][-order:], [UNKNOWN]):
        assert sum(model.probability(word, context) for word in model.words) == pytest.approx(1)
        assert all(model.probability(word, context) > 0 for word in model.words)


def test_what_was_seen_is_likelier_than_what_was_not() -> None:
    model = NgramModel([text.split() for text in TEXTS])
    likely, unlikely, unknown = model.log_probabilities(
        ["the cat sat", "sat cat the", "the xylophone sat"]
    )
    assert likely > unlikely
    assert likely > unknown > -math.inf
    assert model.facts == {"model": "ngram", "order": 3, "sentences": 4, "words": 10}


def test_a_word_that_follows_one_alone_is_less_likely_elsewhere() -> None:
    """Kneser and Ney's example: Francisco is frequent, but after San alone."""
    texts = ["san francisco"] * 4 + ["my cup", "your cup", "the cup"]
    model = NgramModel([text.split() for text in texts], 2)
    assert model.probability("cup", ["her"]) > model.probability("francisco", ["her"])
    assert model.probability("francisco", ["san"]) > model.probability("cup", ["san"])


def test_probabilities_of_one_sentence_are_those_by_hand() -> None:
    """Too few to estimate discounts from: what was seen once loses a half."""
    model = NgramModel([["a"]], 2)
    third = 1 / 3  # a, the end, and what is unknown
    unigram = (1 - 0.5) / 2 + (2 * 0.5 / 2) * third
    bigram = (1 - 0.5) / 1 + (0.5 / 1) * unigram
    assert model.probability("a", [BEGIN]) == pytest.approx(bigram)
    assert model.log_probability(["a"]) == pytest.approx(2 * math.log(bigram))
    assert model.probability(END, ["b"]) == pytest.approx(unigram)
