"""Choose anew among hypotheses: the recognizer's score, and a language model's with a weight.

Both are mean log-probabilities: the language model's is its total by the number of words and the
end, as the recognizer's is by its tokens. So neither likes a hypothesis because it is short.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from wavemill.errors import JobError
from wavemill.hypotheses.records import Correction, Utterance
from wavemill.hypotheses.rescoring.base import LanguageModel
from wavemill.hypotheses.scoring.texts import errors, words

AT_ONCE = 1024
"""Utterances whose hypotheses are read at a time."""
WEIGHTS: tuple[float, ...] = (0.0, *(float(f"{10 ** (step / 8):.3g}") for step in range(-24, 17)))
"""That are tried: 0, and 0.001 to 100, each a third more than the one before."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A weight, and what it does where it was chosen."""

    weight: float
    utterances: int
    words: int
    errors_before: int
    """Of the first hypotheses."""
    errors: int


def tune(held: Iterable[tuple[Iterable[Utterance], LanguageModel]]) -> Tuned:
    """Find the weight with which the fewest words are wrong; of those that tie the smallest.

    Args:
        held: utterances, and a language model that has not learnt from them. Those without a
            reference or a hypothesis are passed over.

    Raises:
        JobError: none is left.

    """
    wrong = np.zeros(len(WEIGHTS), np.int64)
    before = count = size = 0
    for utterances, model in held:
        for utterance, own, likely in _scored(filter(can_tune, utterances), model):
            reference = words(utterance.reference or "")
            found = errors([reference] * len(own), [words(text) for text in utterance.texts])
            wrong += found[[_best(own, likely, weight) for weight in WEIGHTS]]
            before, count, size = before + int(found[0]), count + 1, size + len(reference)
    if not count:
        raise JobError(
            "no utterance has a reference and a hypothesis to tune the weight on; give --weight"
        )
    least = int(wrong.argmin())
    return Tuned(
        weight=WEIGHTS[least],
        utterances=count,
        words=size,
        errors_before=before,
        errors=int(wrong[least]),
    )


def can_tune(utterance: Utterance) -> bool:
    """Say whether an utterance tells of a weight if it is good."""
    return utterance.reference is not None and bool(utterance.hypotheses)


def rescore(
    utterances: Iterable[Utterance], model: LanguageModel, weight: float
) -> Iterator[Correction]:
    """Yield the best hypothesis of each utterance, in their order; of those that tie the first."""
    for utterance, own, likely in _scored(utterances, model):
        texts = utterance.texts
        text = texts[_best(own, likely, weight)] if texts else ""
        yield Correction(id=utterance.id, text=text)


def _best(own: Values, likely: Values, weight: float) -> int:
    return int((own + weight * likely).argmax())


def _scored(
    utterances: Iterable[Utterance], model: LanguageModel
) -> Iterator[tuple[Utterance, Values, Values]]:
    """Yield utterances with the recognizer's and the language model's scores, [N] each."""
    waiting = iter(utterances)
    while batch := list(islice(waiting, AT_ONCE)):
        texts = [text for utterance in batch for text in utterance.texts]
        sizes = np.array([len(words(text)) + 1 for text in texts])
        means = np.array(model.log_probabilities(texts), np.float64) / sizes
        bounds = np.cumsum([0, *(len(utterance.hypotheses) for utterance in batch)])
        for utterance, begin, end in zip(batch, bounds, bounds[1:], strict=False):
            own = np.array([one.score for one in utterance.hypotheses], np.float64)
            yield utterance, own, means[begin:end]
