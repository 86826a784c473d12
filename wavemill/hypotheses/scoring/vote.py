"""ROVER-style vote: what most of the hypotheses say, word for word.

Fiscus (1997), https://doi.org/10.1109/ASRU.1997.659110, of one recognizer's hypotheses instead of
several recognizers': all are aligned to the first, and each of its words, and what others put
between two of them, is voted on.
"""

import math
from collections.abc import Iterator, Sequence

from wavemill.hypotheses.records import Hypothesis
from wavemill.hypotheses.scoring.texts import edits, words

BY_COUNT = 0.5
"""How much of a hypothesis's weight is the same for all; the rest goes by its score."""

Slots = list[tuple[str, ...]]
"""What a hypothesis says before, at and after each word of the first, [2 T + 1]."""


def vote(hypotheses: Sequence[Hypothesis]) -> str:
    """Return the text that wins; a tie goes to the better hypothesis.

    Raises:
        UsageError: rapidfuzz is not installed.

    """
    if len(hypotheses) < 3:  # the first outweighs the second, or they tie
        return hypotheses[0].text if hypotheses else ""
    said = [words(hypothesis.text) for hypothesis in hypotheses]
    ballots = [_slots(said[0], other) for other in said]
    weights = _weights([hypothesis.score for hypothesis in hypotheses])
    return " ".join(word for slot in _winners(ballots, weights) for word in slot)


def _slots(first: list[str], other: list[str]) -> Slots:
    """Lay a hypothesis out along the words of the first; an empty place is a vote, too."""
    slots: Slots = [()] * (2 * len(first) + 1)
    for kind, begin, end, other_begin, other_end in edits(first, other):
        if kind == "insert":
            slots[2 * begin] = tuple(other[other_begin:other_end])
        elif kind != "delete":
            for place, word in zip(range(begin, end), other[other_begin:other_end], strict=True):
                slots[2 * place + 1] = (word,)
    return slots


def _winners(ballots: Sequence[Slots], weights: Sequence[float]) -> Iterator[tuple[str, ...]]:
    for votes in zip(*ballots, strict=True):
        total: dict[tuple[str, ...], float] = {}
        for said, weight in zip(votes, weights, strict=True):
            total[said] = total.get(said, 0.0) + weight
        # Sums of the same weights may differ in their last bit; the first of those that tie wins.
        yield max(total, key=lambda said: round(total[said], 9))


def _weights(scores: Sequence[float]) -> list[float]:
    """Mix equal shares with shares by exp(score); they sum to 1."""
    top = max((score for score in scores if math.isfinite(score)), default=0.0)
    shares = [math.exp(score - top) if math.isfinite(score) else 0.0 for score in scores]
    whole = sum(shares) or 1.0
    return [BY_COUNT / len(scores) + (1 - BY_COUNT) * share / whole for share in shares]
