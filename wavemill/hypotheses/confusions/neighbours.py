"""Words that sound like given phones, of all that a general language model of English knows."""

from collections import defaultdict
from functools import cached_property, lru_cache
from typing import Any

from wavemill.hypotheses.confusions.model import ConfusionModel
from wavemill.hypotheses.confusions.pronounce import Pronouncer
from wavemill.packages import require

RAREST = -15.0
"""Logarithm of a word's frequency, below which nobody would hear it."""
FURTHEST = 0.5
"""Edits of phones, a phone, of the words that are looked at at all."""
LOOKED_AT = 60
"""Pronunciations that are nearest by edits, among which the channel chooses."""
FREQUENT = ("a", "the", "to", "and", "of", "in", "is", "it", "that", "you")
"""Words that are heard where there was none."""

Heard = tuple[str, float]
"""Words with blanks between them, and how likely they are: the channel, and their frequencies."""


class Neighbours:
    """Finds words by their sound. What is found is kept: texts repeat their words."""

    def __init__(
        self, model: ConfusionModel, pronouncer: Pronouncer, frequency_weight: float
    ) -> None:
        """Look words up in a dictionary.

        Args:
            model: of what is heard for what.
            pronouncer: with the dictionary.
            frequency_weight: of the logarithm of a word's frequency.

        """
        self._model, self._pronouncer, self._weight = model, pronouncer, frequency_weight
        self._process: Any = require("rapidfuzz.process", "hypotheses", "words that sound alike")
        self._distance: Any = require("rapidfuzz.distance", "hypotheses", "words that sound alike")

    @cached_property
    def _words(self) -> dict[str, list[tuple[str, float]]]:
        """Words and the logarithms of their frequencies, by their phones."""
        words = defaultdict(list)
        for word, phones in self._pronouncer.dictionary.items():
            if phones and (frequency := self._pronouncer.frequency(word)) > RAREST:
                words[phones].append((word, frequency))
        return dict(words)

    @cached_property
    def _phones(self) -> list[str]:
        return list(self._words)

    def same(self, words: str) -> float:
        """Return how likely words are heard as themselves."""
        phones = self._pronouncer.say_all(words)
        return self._prior(words) - self._model.cost(phones, phones)

    @lru_cache(maxsize=1 << 16)  # noqa: B019 - there is one, and it lives as long as the process
    def near(self, phones: str, count: int) -> tuple[Heard, ...]:
        """Return single words that may be heard for phones, the likeliest first."""
        if not phones:
            return ()
        found = self._process.extract(
            phones,
            self._phones,
            scorer=self._distance.Levenshtein.distance,
            score_cutoff=max(1, round(FURTHEST * len(phones))),
            limit=LOOKED_AT,
        )
        heard = [
            (word, self._weight * frequency - cost)
            for said, _, _ in found
            for cost in [self._model.cost(phones, said)]
            for word, frequency in self._words[said]
        ]
        return tuple(sorted(heard, key=lambda one: (-one[1], one[0]))[:count])

    @lru_cache(maxsize=1 << 16)  # noqa: B019
    def pairs(self, phones: str, count: int) -> tuple[Heard, ...]:
        """Return two words that may be heard for phones, the likeliest first."""
        heard = {
            f"{one} {other}": score + more
            for at in range(1, len(phones))
            for one, score in self.near(phones[:at], 2)
            for other, more in self.near(phones[at:], 2)
        }
        return tuple(sorted(heard.items(), key=lambda one: (-one[1], one[0]))[:count])

    @lru_cache(maxsize=1 << 16)  # noqa: B019
    def of_word(self, word: str, count: int) -> tuple[Heard, ...]:
        """Return all that may be heard for a word, itself not among it: another, two, or none."""
        phones = self._pronouncer.say(word)
        heard = [*self.near(phones, count), *self.pairs(phones, count // 3)]
        heard.append(("", -self._model.cost(phones, "")))
        stays = self.same(word)
        for other in FREQUENT:
            more = self._prior(other) - self._model.cost("", self._pronouncer.say(other))
            heard.append((f"{word} {other}", stays + more))
        return tuple(one for one in heard if one[0] != word)

    def of_two(self, one: str, other: str, count: int) -> tuple[Heard, ...]:
        """Return what may be heard for two words that grow together, or part elsewhere."""
        phones = self._pronouncer.say(one) + self._pronouncer.say(other)
        heard = (*self.near(phones, count), *self.pairs(phones, count))
        return tuple(found for found in heard if found[0] != f"{one} {other}")

    def _prior(self, words: str) -> float:
        return self._weight * sum(max(self._pronouncer.frequency(w), RAREST) for w in words.split())
