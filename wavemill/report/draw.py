"""Which samples are looked at where all would be too many: a pure function of the dataset.

Samples are drawn at equal distances in the order of the shards, that is bucket after bucket, from
a place that the dataset's digest says. So each is as likely as any other, and every bucket comes
in proportion to its samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wavemill.sharding.draw import mix, uniform

RUN = 128
"""Samples that are read one after the other: on a store they come with one request."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Samples of a shard, one after the other."""

    shard: int
    first: int
    last: int
    """One after the last."""


def draw_runs(total: int, wanted: int, seed: int, run: int = RUN) -> Iterator[tuple[int, int]]:
    """Yield runs of positions, each a first and one after the last, that do not overlap.

    Args:
        total: samples there are.
        wanted: samples to draw: all if there are no more, else about so many, in whole runs.
        seed: says where to begin.
        run: samples one after the other.

    """
    if total <= wanted:
        if total:
            yield 0, total
        return
    runs = max(wanted // run, 1)
    run = min(run, wanted)
    begin = float(uniform(mix(np.zeros(1, np.uint64), seed))[0])
    room = total / runs
    for number in range(runs):
        first = int(number * room + begin * (room - run))
        yield first, first + run


def pieces(runs: Iterator[tuple[int, int]], sizes: Sequence[int]) -> Iterator[Piece]:
    """Cut runs where shards of these sizes end."""
    firsts = np.cumsum([0, *sizes])
    for first, last in runs:
        at, shard = first, int(np.searchsorted(firsts, first, side="right")) - 1
        while at < last:
            end, begin = min(last, int(firsts[shard + 1])), int(firsts[shard])
            if end > at:
                yield Piece(shard=shard, first=at - begin, last=end - begin)
            at, shard = end, shard + 1
