"""An n-gram model of words: interpolated, with modified Kneser-Ney smoothing.

Chen and Goodman (1999), https://doi.org/10.1006/csla.1999.0128. Of the highest order words are
counted, of lower ones the different words that come before; discounts are 1, 2 or 3 or more counts'
own. What is not smoothed away goes to the next lower order, and at last to all words alike, one of
which stands for all that were never seen.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from wavemill.hypotheses.scoring.texts import words

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"

FALLBACK = (0.0, 0.5, 1.0, 1.5)
"""Discounts where there are too few texts to estimate them."""

Gram = tuple[str, ...]


class NgramModel:
    """A language model that is learnt in seconds from the texts of a corpus of speech."""

    def __init__(self, sentences: Iterable[Sequence[str]], order: int = 3) -> None:
        """Count.

        Args:
            sentences: words of each.
            order: the most words that are looked at together.

        """
        self.order = order
        self.sentences = 0
        counts = self._counts(sentences)
        self.words = frozenset(gram[-1] for gram in counts[0]) | {UNKNOWN}
        """All that can come next; the end and what is unknown among them."""
        self._levels = [_Level(level) for level in counts]

    def _counts(self, sentences: Iterable[Sequence[str]]) -> list[Counter[Gram]]:
        """Count n-grams of each order from 1 on, those below the highest by what precedes them."""
        seen: list[Counter[Gram]] = [Counter() for _ in range(self.order)]
        for sentence in sentences:
            self.sentences += 1
            padded = (BEGIN, *sentence, END)
            for end in range(2, len(padded) + 1):
                for length in range(1, min(self.order, end) + 1):
                    seen[length - 1][padded[end - length : end]] += 1
        for lower, higher in pairwise(seen):
            continued = Counter(gram[1:] for gram in higher)
            for gram in lower:
                if gram[0] != BEGIN:  # nothing comes before that: it keeps its own count
                    lower[gram] = continued[gram]
        return seen

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it is."""
        return {
            "model": "ngram",
            "order": self.order,
            "sentences": self.sentences,
            "words": len(self.words),
        }

    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return the natural logarithm of each text's probability, [N]."""
        return [self.log_probability(words(text)) for text in texts]

    def probability(self, word: str, before: Sequence[str]) -> float:
        """Return how likely a word is after others; all words together have 1."""
        word = word if word in self.words else UNKNOWN
        found = 1 / len(self.words)
        for length, level in enumerate(self._levels):
            if length > len(before):
                break
            context = tuple(before[len(before) - length :])
            found = level.probability(word, context, found)
        return found

    def log_probability(self, sentence: Sequence[str]) -> float:
        """Return the natural logarithm of how likely a sentence's words are, its end included."""
        padded = (BEGIN, *sentence, END)
        found = 0.0
        for place in range(1, len(padded)):
            before = padded[max(0, place - self.order + 1) : place]
            found += math.log(self.probability(padded[place], before))
        return found


class _Level:
    """N-grams of one order."""

    def __init__(self, counts: Counter[Gram]) -> None:
        self._counts = counts
        self._discounts = _discounts(counts)
        totals: dict[Gram, int] = defaultdict(int)
        kept: dict[Gram, float] = defaultdict(float)
        for gram, count in counts.items():
            totals[gram[:-1]] += count
            kept[gram[:-1]] += self._discounts[min(count, 3)]
        self._totals, self._left = dict(totals), dict(kept)

    def probability(self, word: str, context: Gram, lower: float) -> float:
        total = self._totals.get(context)
        if not total:
            return lower
        count = self._counts.get((*context, word), 0)
        own = count - self._discounts[min(count, 3)]
        return (own + self._left[context] * lower) / total


def _discounts(counts: Counter[Gram]) -> tuple[float, ...]:
    """Return what counts of 0, 1, 2 and more lose."""
    often = Counter(counts.values())
    if not all(often[count] for count in (1, 2, 3, 4)):
        return FALLBACK
    share = often[1] / (often[1] + 2 * often[2])
    found = [count - (count + 1) * share * often[count + 1] / often[count] for count in (1, 2, 3)]
    return (0.0, *found) if min(found) > 0 else FALLBACK
