"""Hypotheses side by side: columns in which each has a word or nothing, and a reference on them.

After ROVER (Fiscus, 1997): the first hypothesis makes the columns, each other one is aligned to
what there is so far and adds columns for words that stand in none. Words that sound alike, as far
as their letters tell, are aligned rather than others.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

GAP = 0.7
"""What it costs to have a word beside nothing; two are dearer than words that are hardly alike."""
UNLIKE, ALIKE = 1.25, 0.6
"""What it costs to have two words beside each other, and what less if they are alike."""

Column = list[str]
"""Of each hypothesis its word, or the empty string."""


@lru_cache(1 << 16)
def pairs(word: str) -> frozenset[str]:
    """Return the pairs of neighbouring letters of a word, and its edges."""
    padded = f"^{word}$"
    return frozenset(padded[place : place + 2] for place in range(len(padded) - 1))


def likeness(one: str, other: str) -> float:
    """Say how alike the letters of two words are, 0 to 1 (Dice's coefficient over pairs)."""
    if one == other:
        return 1.0
    first, second = pairs(one), pairs(other)
    return 2 * len(first & second) / (len(first) + len(second))


def align(columns: Sequence[Column], words: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Align words to columns at the least cost: pairs of places, one of them None at a gap."""
    return _cheapest(
        len(columns),
        len(words),
        lambda column, word: _beside(columns[column], words[word]),
        lambda column: 0.0 if "" in columns[column] else GAP,
    )


def build_network(hypotheses: Sequence[str]) -> list[Column]:
    """Lay hypotheses side by side.

    Args:
        hypotheses: texts, the best first.

    Returns:
        Columns; the words of each hypothesis are in their order, and all of them are there.

    """
    columns: list[Column] = [[word] for word in hypotheses[0].split()] if hypotheses else []
    for number, text in enumerate(hypotheses[1:], 1):
        words = text.split()
        grown: list[Column] = []
        for column, word in align(columns, words):
            before = [""] * number if column is None else columns[column]
            grown.append([*before, "" if word is None else words[word]])
        columns = grown
    return columns


def phrases(columns: Sequence[Column], reference: str) -> list[str]:
    """Say what of a reference belongs to each column: nothing, a word, or several.

    Joined by blanks they are the reference. Without columns there is nowhere to put it.
    """
    found: list[list[str]] = [[] for _ in columns]
    words = reference.split()
    waiting: list[str] = []
    last: int | None = None
    for column, word in align(columns, words):
        if column is not None:
            last = column
            found[column] += waiting
            waiting = []
        if word is not None:
            (waiting if last is None else found[last]).append(words[word])
    return [" ".join(phrase) for phrase in found]


@lru_cache(1 << 16)
def _cost(one: str, other: str) -> float:
    return 0.0 if one == other else UNLIKE - ALIKE * likeness(one, other)


def _beside(column: Column, word: str) -> float:
    return min((_cost(one, word) for one in set(column) if one), default=GAP)


def _cheapest(
    rows: int, places: int, beside: Callable[[int, int], float], skip: Callable[[int], float]
) -> list[tuple[int | None, int | None]]:
    skipped = [skip(row) for row in range(rows)]
    costs = [[GAP * place for place in range(places + 1)]]
    for row in range(rows):
        above = costs[-1]
        line = [above[0] + skipped[row]]
        for place in range(places):
            line.append(
                min(
                    above[place] + beside(row, place),
                    above[place + 1] + skipped[row],
                    line[place] + GAP,
                )
            )
        costs.append(line)
    return _path(costs, skipped, beside)


def _path(
    costs: Sequence[Sequence[float]], skipped: Sequence[float], beside: Callable[[int, int], float]
) -> list[tuple[int | None, int | None]]:
    row, place = len(costs) - 1, len(costs[0]) - 1
    found: list[tuple[int | None, int | None]] = []
    while row or place:
        here = costs[row][place]
        if row and place and here == costs[row - 1][place - 1] + beside(row - 1, place - 1):
            row, place = row - 1, place - 1
            found.append((row, place))
        elif row and here == costs[row - 1][place] + skipped[row - 1]:
            row -= 1
            found.append((row, None))
        else:
            place -= 1
            found.append((None, place))
    return found[::-1]
