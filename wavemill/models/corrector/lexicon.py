"""What a corrector knows by heart: words, which follow which, and what was misheard for what.

These are counts of the utterances that a run learns from. While it learns from one of them, what
that one brought is taken away: else it would find all words of all references known and expected,
which of new utterances they are not.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest_number
from wavemill.models.corrector.network import Column, pairs

START = "<s>"
BACKOFF = 0.4
"""Of "stupid backoff" (https://aclanthology.org/D07-1090): what a shorter context counts."""
BUCKETS = 512
"""Places that pairs of letters are hashed to."""
LONGEST = 2
"""Words of a phrase that stands where one word was heard."""


@dataclass(kw_only=True)
class Counts:
    """How often what was said, and what was heard for it."""

    utterances: int = 0
    said: Counter[str] = field(default_factory=Counter)
    """Of one word, two and three, joined by blanks; a reference begins with `<s> <s>`."""
    heard: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of a word that was heard, or nothing, and the phrase that was said."""

    def add(self, other: "Counts") -> None:
        """Add what is in others."""
        self.utterances += other.utterances
        self.said.update(other.said)
        self.heard.update(other.heard)

    def most_common(self, most: int) -> "Counts":
        """Keep so many of each kind; of those as common the first by their letters."""

        def kept(counter: Counter[Any]) -> Counter[Any]:
            order = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
            return Counter(dict(order[:most]))

        return Counts(utterances=self.utterances, said=kept(self.said), heard=kept(self.heard))


def counts_of(columns: Sequence[Column], phrases: Sequence[str]) -> Counts:
    """Count what an utterance brings.

    Args:
        columns: its hypotheses side by side.
        phrases: what of its reference belongs to each.

    """
    words = [START, START, *" ".join(phrases).split()]
    said = Counter(
        " ".join(words[place - length : place])
        for place in range(3, len(words) + 1)
        for length in (1, 2, 3)
    )
    heard = Counter(
        (word, phrase)
        for column, phrase in zip(columns, phrases, strict=True)
        for word in set(column)
    )
    return Counts(utterances=1, said=said, heard=heard)


NOTHING = Counts()


class Lexicon:
    """Counts, and what is asked of them."""

    def __init__(self, counts: Counts) -> None:
        """Lay them out."""
        self.counts = counts
        self._words = sum(
            count for gram, count in counts.said.items() if " " not in gram and gram != START
        )
        self._totals = Counter[str]()
        self._meant: dict[str, list[str]] = defaultdict(list)
        for (word, phrase), count in sorted(counts.heard.items(), key=lambda one: (-one[1], one)):
            self._totals[word] += count
            self._meant[word].append(phrase)
        self._phrases = sorted(
            gram
            for gram, count in counts.said.items()
            if START not in gram and len(gram.split()) <= LONGEST and (count > 1 or " " not in gram)
        )
        self._letters = np.array([_letters(phrase) for phrase in self._phrases], np.float32)
        self._near: dict[str, list[str]] = {}

    def count(self, gram: str, without: Counts = NOTHING) -> int:
        """Say how often words were said one after the other."""
        if gram in (START, f"{START} {START}"):
            return max(self.counts.utterances - without.utterances, 0)
        # Of what is rare only some is kept, and more may be taken away.
        return max(self.counts.said[gram] - without.said[gram], 0)

    def log_probability(self, word: str, before: Sequence[str], without: Counts = NOTHING) -> float:
        """Say how likely a word comes after two others, in nats, by stupid backoff."""
        weight = 1.0
        for length in (2, 1):
            context = " ".join(before[-length:])
            count = self.count(f"{context} {word}", without)
            if count > 0:
                return math.log(weight * count / max(self.count(context, without), count))
            weight *= BACKOFF
        everything = self._words - sum(without.said[one] for one in without.said if " " not in one)
        return math.log(weight * (self.count(word, without) + 0.1) / (max(everything, 0) + 10.0))

    def log_meant(self, word: str, phrase: str, without: Counts = NOTHING) -> float:
        """Say how likely a phrase was said where a word, or nothing, was heard, in nats."""
        count = max(self.counts.heard[word, phrase] - without.heard[word, phrase], 0)
        own = sum(number for (heard, _), number in without.heard.items() if heard == word)
        total = max(self._totals[word] - own, count)
        same = 1.0 if word == phrase else 0.05
        return math.log((count + same) / (total + 1.5))

    def meant(self, word: str, most: int) -> list[str]:
        """Return what was said most often where a word, or nothing, was heard."""
        return self._meant[word][:most] if word in self._meant else []

    def near(self, word: str, most: int) -> list[str]:
        """Return phrases whose letters are most like those of a word."""
        if word not in self._near:
            if not self._phrases:
                return []
            likeness = self._letters @ _letters(word)
            order = np.argsort(-likeness, kind="stable")[:most]
            self._near[word] = [self._phrases[number] for number in order]
        return self._near[word][:most]

    def to_bytes(self) -> bytes:
        """Write it, as JSON."""
        counts = self.counts
        heard = [[word, phrase, count] for (word, phrase), count in sorted(counts.heard.items())]
        content = [counts.utterances, dict(sorted(counts.said.items())), heard]
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Lexicon":
        """Read what `to_bytes` wrote.

        Raises:
            ValueError, TypeError: it is something else.

        """
        utterances, said, heard = json.loads(content)
        return cls(
            Counts(
                utterances=utterances,
                said=Counter(said),
                heard=Counter({(word, phrase): count for word, phrase, count in heard}),
            )
        )


def _letters(phrase: str) -> npt.NDArray[np.float32]:
    """Return a direction for the pairs of letters of a phrase, blanks left out, [BUCKETS]."""
    places = np.zeros(BUCKETS, np.float32)
    for pair in pairs(phrase.replace(" ", "")):
        places[digest_number(pair) % BUCKETS] += 1
    length = float(np.linalg.norm(places))
    return places / length if length else places
