"""What a search finds: texts with scores, the best first, none twice."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A text by its units, and how probable a search holds it for."""

    ids: tuple[int, ...]
    log_probability: float
    """In nats: CTC's, the decoder's, or both weighted."""

    @property
    def score(self) -> float:
        """The log probability by the number of units and the end, as HyPoradise ranks by."""
        return self.log_probability / (len(self.ids) + 1)


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """A text, and its score."""

    text: str
    log_probability: float
    units: int
    """That it was spelt with."""

    @property
    def score(self) -> float:
        """As that of a hypothesis."""
        return self.log_probability / (self.units + 1)


def best(hypotheses: Iterable[Hypothesis], count: int) -> list[Hypothesis]:
    """Return the hypotheses of the highest scores, in order; those of equal ones by their ids."""
    return heapq.nsmallest(count, hypotheses, key=lambda one: (-one.score, one.ids))


def transcripts(
    hypotheses: Iterable[Hypothesis], decode: Callable[[Sequence[int]], str], count: int
) -> list[Transcript]:
    """Write hypotheses out, and keep the best of those that read alike."""
    found: dict[str, Transcript] = {}
    for one in hypotheses:
        text = decode(one.ids)
        said = Transcript(text=text, log_probability=one.log_probability, units=len(one.ids))
        if text not in found or said.score > found[text].score:
            found[text] = said
    return _ranked(found.values(), count)


def join(parts: Sequence[Sequence[Transcript]], count: int) -> list[Transcript]:
    """Join what was found of pieces that follow each other: the best ways to take one of each."""
    joined = list(parts[0]) if parts else []
    for part in parts[1:]:
        pairs: dict[str, Transcript] = {}
        for before, after in itertools.product(joined, part):
            both = Transcript(
                text=" ".join(filter(None, (before.text, after.text))),
                log_probability=before.log_probability + after.log_probability,
                units=before.units + after.units + 1,
            )
            if both.text not in pairs or both.score > pairs[both.text].score:
                pairs[both.text] = both
        joined = _ranked(pairs.values(), count)
    return joined[:count]


def _ranked(found: Iterable[Transcript], count: int) -> list[Transcript]:
    return heapq.nsmallest(count, found, key=lambda one: (-one.score, one.text))
