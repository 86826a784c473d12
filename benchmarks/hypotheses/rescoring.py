"""Compare ways to put a recognizer's score and a language model's together, on published files.

    python benchmarks/hypotheses/rescoring.py train_atis.json test_atis.json

Files are HyPoradise's with scores (those of ATIS and WSJ). N-grams are of the references of the
first; the weight is that of the fewest errors in every second row of the other, and what is printed
are word error rates in the rest. `wavemill rescore` takes the mean of both.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavemill.hypotheses.exports.hyporadise import read
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.rescoring.ngrams import NgramModel
from wavemill.hypotheses.rescoring.rescore import WEIGHTS
from wavemill.hypotheses.scoring.texts import errors, words

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is known of an utterance's hypotheses, [N] each."""

    own: Values
    """The recognizer's means."""
    totals: Values
    """The language model's."""
    sizes: Values
    """Words and the end."""
    errors: npt.NDArray[np.int64]
    words: int


WAYS: dict[str, Callable[[Row, float], Values]] = {
    "mean and mean": lambda row, weight: row.own + weight * row.totals / row.sizes,
    "mean and total": lambda row, weight: row.own + weight * row.totals,
    "total and total": lambda row, weight: row.own * row.sizes + weight * row.totals,
}


def look_at(utterance: Utterance, model: NgramModel) -> Row:
    """Score an utterance's hypotheses."""
    heard, said = [words(text) for text in utterance.texts], words(utterance.reference or "")
    return Row(
        own=np.array([one.score for one in utterance.hypotheses]),
        totals=np.array([model.log_probability(text) for text in heard]),
        sizes=np.array([len(text) + 1.0 for text in heard]),
        errors=errors([said] * len(heard), heard),
        words=len(said),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--order", type=int, default=3)
    given = parser.parse_args()
    texts = (words(one.reference or "") for one in read(given.train))
    model = NgramModel(texts, given.order)
    rows = [look_at(one, model) for one in read(given.test)]
    tuned_on, rest = rows[::2], rows[1::2]
    total = sum(row.words for row in rest)
    print(f"1-best {sum(row.errors[0] for row in rest) / total:.2%}")
    print(f"o_nb {sum(row.errors.min() for row in rest) / total:.2%}")
    for name, way in WAYS.items():

        def wrong(rows: list[Row], weight: float, way: Callable[..., Values] = way) -> int:
            return int(sum(row.errors[way(row, weight).argmax()] for row in rows))

        weight = min(WEIGHTS, key=lambda one: wrong(tuned_on, one))
        print(f"{name}: weight {weight:g}, {wrong(rest, weight) / total:.2%}")


if __name__ == "__main__":
    main()
