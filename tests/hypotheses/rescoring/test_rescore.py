"""The weight is the one with the fewest errors, and what is chosen is the best by both scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from wavemill.errors import JobError
from wavemill.hypotheses.records import Hypothesis, Utterance
from wavemill.hypotheses.rescoring.rescore import WEIGHTS, rescore, tune


class Likes:
    """A language model that likes a word."""

    facts: Mapping[str, Any] = {}

    def __init__(self, word: str) -> None:
        self._word = word

    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """By the word for each that there is, so that a text's mean is -2 or less."""
        return [
            -2.0 * (len(text.split()) + 1) - (0 if self._word in text.split() else 4)
            for text in texts
        ]


def utterance(name: str, reference: str | None, *texts: str) -> Utterance:
    return Utterance(
        id=name, recording_id=name, reference=reference,
        hypotheses=tuple(Hypothesis(text=text, score=-0.1 * at) for at, text in enumerate(texts)),
    )  # fmt: skip


def test_the_weight_is_the_smallest_with_the_fewest_errors() -> None:
    utterances = [
        utterance("a", "a cat sat", "a bat sat", "a cat sat"),
        utterance("b", None, "a bat"),
        utterance("c", "nothing heard"),
    ]
    tuned = tune([(utterances, Likes("cat"))])
    assert (tuned.utterances, tuned.words, tuned.errors_before, tuned.errors) == (1, 3, 1, 0)
    # The means of four words and the end differ by 1: a weight over 0.1 makes up for the score.
    assert tuned.weight == min(weight for weight in WEIGHTS if weight > 0.1)
    assert tune([(utterances, Likes("bat"))]).weight == 0


def test_without_a_weight_the_first_hypothesis_stays_and_with_one_the_better() -> None:
    utterances = [
        utterance("a", None, "a bat sat", "a cat sat"),
        utterance("b", None),
        utterance("c", None, "one", "two"),
    ]
    for weight, text in ((0.0, "a bat sat"), (1.0, "a cat sat")):
        found = list(rescore(utterances, Likes("cat"), weight))
        assert [one.id for one in found] == ["a", "b", "c"]
        assert [one.text for one in found] == [text, "", "one"]


def test_nothing_to_tune_on_is_told() -> None:
    with pytest.raises(JobError, match="give --weight"):
        tune([([utterance("a", None, "one")], Likes("cat")), ([], Likes("a"))])
