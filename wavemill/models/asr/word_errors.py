"""Word error rates: the words to change, drop or add, of those that were said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(kw_only=True)
class WordErrors:
    """Of a corpus: all its errors by all its words, as WER is reported."""

    errors: int = 0
    words: int = 0

    def add(self, reference: str, hypothesis: str) -> None:
        """Count those of a text."""
        said = reference.split()
        self.errors += edits(said, hypothesis.split())
        self.words += len(said)

    @property
    def rate(self) -> float | None:
        """Errors a word; None where there is no word."""
        return self.errors / self.words if self.words else None


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Count the fewest insertions, deletions and substitutions from one to the other."""
    numbers = {word: number for number, word in enumerate({*reference, *hypothesis})}
    written = np.array([numbers[word] for word in hypothesis], dtype=np.int64)
    places = np.arange(len(hypothesis) + 1)
    row = places
    for count, word in enumerate(reference, 1):
        changed = np.minimum(row[:-1] + (written != numbers[word]), row[1:] + 1)
        # An insertion costs one more than the place before: a running minimum of what is left.
        row = np.minimum.accumulate(np.concatenate([[count], changed]) - places) + places
    return int(row[-1])
