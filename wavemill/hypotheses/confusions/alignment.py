"""Align what was heard with what was said, phone by phone, at the least cost."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wavemill.hypotheses.confusions.phones import COUNT, NONE, differences

Costs = npt.NDArray[np.float64]
"""[40, 40]: of hearing the second phone for the first; the last of each is no phone."""


def first_costs() -> Costs:
    """Return costs by what phones have in common, to begin with."""
    costs = np.full((COUNT + 1, COUNT + 1), 2.5)
    costs[:COUNT, :COUNT] = 1.0 + differences() / 2.0
    np.fill_diagonal(costs, 0.0)
    return costs


def align(
    said: Sequence[int], heard: Sequence[int], costs: Sequence[Sequence[float]]
) -> tuple[float, list[tuple[int, int]]]:
    """Align two sequences of phones' numbers.

    Args:
        said: A phones.
        heard: B phones.
        costs: as `Costs`, as lists: they are looked up one by one.

    Returns:
        The least cost, and pairs of phones; NONE stands where a phone has no partner.

    """
    inserted = costs[NONE]
    row = [0.0]
    for phone in heard:
        row.append(row[-1] + inserted[phone])
    rows = [row]
    for phone in said:
        last, of_phone = rows[-1], costs[phone]
        lost = of_phone[NONE]
        row = [last[0] + lost]
        for at, other in enumerate(heard):
            row.append(
                min(last[at] + of_phone[other], last[at + 1] + lost, row[-1] + inserted[other])
            )
        rows.append(row)
    return rows[-1][-1], _back(said, heard, costs, rows)


def _back(
    said: Sequence[int],
    heard: Sequence[int],
    costs: Sequence[Sequence[float]],
    rows: Sequence[Sequence[float]],
) -> list[tuple[int, int]]:
    pairs, a, b = [], len(said), len(heard)
    while a or b:
        here = rows[a][b]
        if a and b and here == rows[a - 1][b - 1] + costs[said[a - 1]][heard[b - 1]]:
            a, b = a - 1, b - 1
            pairs.append((said[a], heard[b]))
        elif a and here == rows[a - 1][b] + costs[said[a - 1]][NONE]:
            a -= 1
            pairs.append((said[a], NONE))
        else:
            b -= 1
            pairs.append((NONE, heard[b]))
    return pairs[::-1]
