"""What may be said in each column, and what speaks for it, in numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavemill.hypotheses.records import Utterance
from wavemill.models.corrector.lexicon import NOTHING, START, Counts, Lexicon
from wavemill.models.corrector.network import Column, likeness

MEANT, NEAR = 6, 8
"""How many phrases of each kind are tried for a word."""
FIXED, IN_CONTEXT = 15, 5
FACTS = FIXED + IN_CONTEXT
"""Numbers that speak for a candidate: whatever was chosen before it, and after that."""
FAR = -12.0
"""In nats: what stands for a probability that is not asked for."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A column, and the candidates for it."""

    candidates: tuple[str, ...]
    """Phrases; the empty one is nothing. The first is what the first hypothesis has."""
    facts: tuple[tuple[float, ...], ...]
    """[candidates][FIXED]."""
    following: tuple[str, ...]
    """Words that hypotheses have in the columns after it, up to the first that all have."""


def choices(
    utterance: Utterance,
    columns: Sequence[Column],
    lexicon: Lexicon,
    *,
    without: Counts = NOTHING,
    only_heard: bool = False,
) -> list[Choice]:
    """Find the candidates of each column.

    Args:
        utterance: with hypotheses.
        columns: of them.
        lexicon: what is known.
        without: counts that are not to be known.
        only_heard: no candidate that is in no hypothesis.

    """
    gaps = _gaps(utterance)
    found = []
    for place, column in enumerate(columns):
        names = [column[0], *dict.fromkeys(one for one in column if one != column[0])]
        if "" not in names:
            names.append("")
        joined = _joined(columns, place)
        if not only_heard:
            known = _known(column, joined, lexicon)
            names += [
                phrase
                for phrase in dict.fromkeys(known)
                if phrase not in names and lexicon.count(phrase, without) > 0
            ]
        facts = tuple(_facts(name, column, joined, gaps, lexicon, without) for name in names)
        found.append(
            Choice(candidates=tuple(names), facts=facts, following=_following(columns, place))
        )
    return found


def _known(column: Column, joined: str, lexicon: Lexicon) -> list[str]:
    words = set(column)
    known = [phrase for word in sorted(words) for phrase in lexicon.meant(word, MEANT)]
    for word in [*sorted(words - {""}), joined]:
        known += lexicon.near(word, NEAR)
    return known


def _joined(columns: Sequence[Column], place: int) -> str:
    """Write the first hypothesis's word together with its next one."""
    after = next((column[0] for column in columns[place + 1 :] if column[0]), "")
    return columns[place][0] + after


def _following(columns: Sequence[Column], place: int) -> tuple[str, ...]:
    words: dict[str, None] = {}
    for column in columns[place + 1 :]:
        words |= dict.fromkeys(word for word in column if word)
        if "" not in column:
            break
    return tuple(words)


def _gaps(utterance: Utterance) -> list[float]:
    """Say how far each hypothesis's score is below the best one's: 0 to 1, 0.5 being usual."""
    scores = np.array([one.score for one in utterance.hypotheses])
    below = scores.max() - scores
    usual = float(below.mean()) or 1.0
    return (below / (below + usual)).tolist()  # type: ignore[no-any-return]


def _facts(
    name: str,
    column: Column,
    joined: str,
    gaps: Sequence[float],
    lexicon: Lexicon,
    without: Counts,
) -> tuple[float, ...]:
    having = [number for number, word in enumerate(column) if word == name]
    compact = name.replace(" ", "")
    count = sum(lexicon.count(word, without) > 0 for word in name.split())
    meant = max(lexicon.log_meant(word, name, without) for word in set(column))
    return (
        float(column[0] == name),
        len(having) / len(column),
        sum(1 / (1 + number) for number in having)
        / sum(1 / (1 + number) for number in range(len(column))),
        1 - min((gaps[number] for number in having), default=1.0),
        float(not name),
        float(" " in name),
        float(not having),
        float(not column[0]),
        len(set(column)) / len(column),
        max((likeness(compact, word) for word in column if word), default=0.0) if name else 0.0,
        likeness(compact, joined) if name else 0.0,
        lexicon.log_meant(column[0], name, without) / 4,
        meant / 4,
        float(bool(name) and count == len(name.split())),
        math.log1p(max(lexicon.count(name, without), 0)) / 4 if name else 0.0,
    )


def in_context(
    name: str, choice: Choice, before: tuple[str, str], lexicon: Lexicon, without: Counts = NOTHING
) -> tuple[float, ...]:
    """Say how a candidate goes with what was chosen before it, and what may come, [5].

    Args:
        name: the candidate.
        choice: its column's.
        before: the last two words that were chosen.
        lexicon: what is known.
        without: counts that are not to be known.

    """
    words = [*before, *name.split()]
    logs = [
        lexicon.log_probability(words[place], words[place - 2 : place], without)
        for place in range(2, len(words))
    ]
    last = words[-2:]
    next_log = max(
        (lexicon.log_probability(word, last, without) for word in choice.following), default=FAR
    )
    trigram = bool(name) and lexicon.count(" ".join(words[:3]), without) > 0
    bigram = bool(name) and lexicon.count(" ".join(words[1:3]), without) > 0
    return (
        sum(logs) / 4,
        next_log / 4,
        float(trigram),
        float(bigram),
        float(not choice.following),
    )


def step(before: tuple[str, str], name: str) -> tuple[str, str]:
    """Return the last two words after a phrase was chosen."""
    words = [*before, *name.split()][-2:]
    return words[0], words[1]


FIRST = (START, START)
"""The words before the first."""
