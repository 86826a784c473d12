"""From what a recognizer yields to the hypotheses of an utterance: normalised, none twice."""

import math
from collections.abc import Callable, Iterable
from itertools import islice

from wavemill.errors import RejectedError
from wavemill.hypotheses.records import Hypothesis
from wavemill.models.asr.hypotheses import Transcript
from wavemill.records import RECOGNIZER_FAILED

MOST_TRIED = 1000
"""Texts that are looked at for an utterance: of a long one there are millions that read alike."""


def distinct(
    heard: Iterable[Transcript], normalize: Callable[[str], str], count: int
) -> tuple[Hypothesis, ...]:
    """Take the first texts that differ once they are normalised.

    Of those that read alike the first stays. A text without words is no hypothesis.

    Args:
        heard: the best first.
        normalize: makes texts comparable.
        count: how many are wanted.

    Raises:
        RejectedError: a score is no number.

    """
    found: dict[str, Hypothesis] = {}
    for one in islice(heard, MOST_TRIED):
        text = normalize(one.text)
        if not text or text in found:
            continue
        if not math.isfinite(one.score):
            raise RejectedError(RECOGNIZER_FAILED, f"the score of {text!r} is {one.score}")
        found[text] = Hypothesis(text=text, score=one.score, raw=one.text)
        if len(found) == count:
            break
    return tuple(found.values())
