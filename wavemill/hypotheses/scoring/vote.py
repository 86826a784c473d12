"""ROVER-style vote: what most of the hypotheses say, word for word.

Fiscus (1997), https://doi.org/10.1109/ASRU.1997.659110, of one recognizer's hypotheses instead of
several recognizers': all are aligned to the first, and each of its words, and what others put
between two of them, is voted on.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from wavemill.hypotheses.records import Hypothesis
from wavemill.hypotheses.scoring.texts import edits, words

BY_COUNT = 0.5
"""How much of a hypothesis's weight is the same for all; the rest goes by its score."""

Said = tuple[str, ...]


def vote(hypotheses: Sequence[Hypothesis]) -> str:
    """Return the text that wins; a tie goes to the better hypothesis.

    Raises:
        UsageError: rapidfuzz is not installed.

    """
    if len(hypotheses) < 3:  # the first outweighs the second, or they tie
        return hypotheses[0].text if hypotheses else ""
    first, *others = (words(hypothesis.text) for hypothesis in hypotheses)
    weights = _weights([hypothesis.score for hypothesis in hypotheses])
    # Before, at and after each word of the first, [2 T + 1].
    slots: list[Said] = [()] * (2 * len(first) + 1)
    slots[1::2] = [(word,) for word in first]
    ballots: dict[int, dict[int, Said]] = defaultdict(dict)
    for number, other in enumerate(others, 1):
        for slot, said in _deviations(first, other):
            ballots[slot][number] = said
    for slot, deviating in ballots.items():
        slots[slot] = _winner([deviating.get(n, slots[slot]) for n in range(len(weights))], weights)
    return " ".join(word for said in slots for word in said)


def _deviations(first: list[str], other: list[str]) -> Iterator[tuple[int, Said]]:
    """Yield where a hypothesis says something else than the first, and what: maybe nothing."""
    for kind, begin, end, other_begin, other_end in edits(first, other):
        if kind == "insert":
            yield 2 * begin, tuple(other[other_begin:other_end])
        elif kind == "delete":
            for place in range(begin, end):
                yield 2 * place + 1, ()
        elif kind == "replace":
            for place, word in zip(range(begin, end), other[other_begin:other_end], strict=True):
                yield 2 * place + 1, (word,)


def _winner(votes: Sequence[Said], weights: Sequence[float]) -> Said:
    total: dict[Said, float] = {}
    for said, weight in zip(votes, weights, strict=True):
        total[said] = total.get(said, 0.0) + weight
    # Sums of the same weights may differ in their last bit; the first of those that tie wins.
    return max(total, key=lambda said: round(total[said], 9))


def _weights(scores: Sequence[float]) -> list[float]:
    """Mix equal shares with shares by exp(score); they sum to 1."""
    top = max((score for score in scores if math.isfinite(score)), default=0.0)
    shares = [math.exp(score - top) if math.isfinite(score) else 0.0 for score in scores]
    whole = sum(shares) or 1.0
    return [BY_COUNT / len(scores) + (1 - BY_COUNT) * share / whole for share in shares]
