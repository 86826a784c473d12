"""Hypotheses of a text as a recognizer might have had them: a sausage of words that sound alike.

Each place of the sausage is a word (or two that may grow together) and what may be heard for it,
scored by the channel and the words' frequencies. The noise of the recording is drawn once for an
utterance, a Gumbel variable for each thing that may be heard, so that its hypotheses are the N best
ways through one sausage and share their errors, as those of a recognizer do.

Two numbers tune it: what it speaks for a word that it is the right one (`trust`: the error rate),
and how loud the noise is (`noise`: how far what is heard lies from what was said).
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest_number
from wavemill.hypotheses.confusions.neighbours import Neighbours
from wavemill.hypotheses.records import Hypothesis

HEARD = 12
"""Things that may be heard for a word."""
TOGETHER = 0.25
"""Share of the places where two words are taken together."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What sets the error rate and the phone distance; found by `calibrate`."""

    trust: float
    noise: float


@dataclass(frozen=True, kw_only=True)
class Place:
    """What may be heard at one place; the right words come first."""

    words: tuple[str, ...]
    scores: Floats
    """Without noise and trust, [H]."""
    noise: Floats
    """Gumbel variables, [H]."""

    def loudness(self, tuning: Tuning) -> Floats:
        """Return scores, with noise and trust, [H]."""
        scores: Floats = self.scores + tuning.noise * self.noise
        scores[0] += tuning.trust
        return scores

    def chances(self, tuning: Tuning) -> Floats:
        """Return logarithms of how likely each is, [H]."""
        scores = self.loudness(tuning)
        top = scores.max()
        chances: Floats = scores - top - np.log(np.exp(scores - top).sum())
        return chances


class Mishearer:
    """Draws hypotheses of texts; the same seed, id and text give the same."""

    def __init__(self, neighbours: Neighbours, seed: int) -> None:
        """Draw with a seed."""
        self._neighbours, self._seed = neighbours, seed

    def sausage(self, name: str, text: str) -> list[Place]:
        """Lay out what may be heard for a text.

        Args:
            name: the utterance's id, from which the noise is drawn, with the seed.
            text: normalised.

        """
        draws = np.random.default_rng([self._seed, digest_number(name)])
        words, places, at = text.split(), [], 0
        while at < len(words):
            size = 2 if at + 1 < len(words) and draws.random() < TOGETHER else 1
            places.append(self._place(words[at : at + size], draws))
            at += size
        return places

    def _place(self, words: Sequence[str], draws: np.random.Generator) -> Place:
        find = self._neighbours
        right = " ".join(words)
        heard = dict(find.of_word(words[0], HEARD))
        if len(words) == 2:
            one, other = words
            kept = find.same(one), find.same(other)
            heard = {f"{first} {other}".strip(): s + kept[1] for first, s in heard.items()}
            for second, score in find.of_word(other, HEARD):
                heard.setdefault(f"{one} {second}".strip(), score + kept[0])
            for both, score in find.of_two(one, other, HEARD // 2):
                heard[both] = max(score, heard.get(both, score))
        heard.pop(right, None)
        return Place(
            words=(right, *heard),
            scores=np.array([find.same(right), *heard.values()]),
            noise=draws.gumbel(size=len(heard) + 1),
        )


def best(places: Iterable[Place], tuning: Tuning) -> str:
    """Return the likeliest way through a sausage."""
    chosen = (place.words[int(place.loudness(tuning).argmax())] for place in places)
    return " ".join(words for words in chosen if words)


def hypotheses(places: Sequence[Place], tuning: Tuning, count: int) -> tuple[Hypothesis, ...]:
    """Return the likeliest distinct texts that are not empty, the best first.

    There are fewer than `count` if there are no more. What is chosen at a place is a token, so the
    hypotheses of a text have equally many.
    """
    found: dict[str, Hypothesis] = {}
    for total, chosen in _ways([place.chances(tuning) for place in places]):
        words = (place.words[number] for place, number in zip(places, chosen, strict=True))
        text = " ".join(one for one in words if one)
        if text and text not in found:
            score = round(total / (len(places) + 1), 6)
            found[text] = Hypothesis(text=text, score=score, raw=text)
        if len(found) == count:
            break
    return tuple(found.values())


def _ways(chances: Sequence[Floats]) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield choices at all places, the likeliest first, with the logarithms of their chances."""
    if not chances:
        return
    orders = [np.argsort(-place, kind="stable") for place in chances]
    ranked = [place[order] for place, order in zip(chances, orders, strict=True)]
    first = (0,) * len(chances)
    waiting = [(-sum(float(place[0]) for place in ranked), first)]
    seen = {first}
    while waiting:
        cost, ranks = heapq.heappop(waiting)
        yield -cost, tuple(int(order[rank]) for order, rank in zip(orders, ranks, strict=True))
        for place, rank in enumerate(ranks):
            if rank + 1 < len(ranked[place]):
                further = (*ranks[:place], rank + 1, *ranks[place + 1 :])
                if further not in seen:
                    seen.add(further)
                    more = float(ranked[place][rank] - ranked[place][rank + 1])
                    heapq.heappush(waiting, (cost + more, further))
