"""An epoch as windows: shuffled shards, so many at a time that a window can be planned at once.

A window is planned as `wavemill plan` plans an epoch, from the lengths files of its shards alone.
So a corpus of any size opens at once, and to resume means to plan one window.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wavemill.loader.requests import Lengths
from wavemill.sharding.batches import BatchConfig, EpochPlan, plan_epoch
from wavemill.sharding.buckets import Floats, Ints
from wavemill.sharding.draw import Keys, mix, uniform
from wavemill.specs import MAX_SEED

SHARDS, SHARE = 101, 102
"""What is drawn; these keep one draw from another."""

ReadLengths = Callable[[int], Lengths]
"""Reads how long the samples of a shard are, by its number."""
Choose = Callable[[int, Ints], npt.NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class Visits:
    """What comes in an epoch: pieces of shards, some of them several times; [V] each."""

    shard: Ints
    first: Ints
    """Where in its shard a piece begins."""
    last: Ints
    """And where it ends."""
    copy: Ints
    """How often the piece came before."""
    share: Floats
    """Of its samples that come."""

    @property
    def expected(self) -> Floats:
        """How many samples come, about."""
        return (self.last - self.first) * self.share


def visits(sizes: Ints, often: Floats, piece: int) -> Visits:
    """List the visits of an epoch, in order.

    Args:
        sizes: samples of each shard, 1 or more, [S].
        often: how often a sample of each shard comes, [S].
        piece: the most samples of a piece.

    """
    pieces = -(-sizes // piece)
    shard, number = _counted(pieces)
    edges = [sizes[shard] * (number + step) // pieces[shard] for step in (0, 1)]
    which, copy = _counted(np.ceil(often[shard]).astype(np.int64))
    return Visits(
        shard=shard[which],
        first=edges[0][which],
        last=edges[1][which],
        copy=copy,
        share=np.minimum(often[shard[which]] - copy, 1.0),
    )


def count_windows(found: Visits, window: int) -> int:
    """Return how many windows of about so many samples an epoch has."""
    return max(round(float(found.expected.sum()) / window), 1)


def _counted(times: Ints) -> tuple[Ints, Ints]:
    """Count each of some things up to so many: which it is, and the count."""
    which = np.repeat(np.arange(len(times)), times)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Some of an epoch's samples, in batches."""

    shard: Ints
    """Of each sample, [N]."""
    position: Ints
    """Of each sample in its shard, [N]."""
    draw: Keys
    """A number of its own for each sample and epoch, [N]."""
    seconds: Floats
    """[N]."""
    tokens: Ints
    """[N]."""
    stored: Floats
    """Seconds before any crop, [N]."""
    by: Floats
    """What stands for durations where batches are made up: tokens where they alone count, [N]."""
    plan: EpochPlan
    """Batches of these samples."""


_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0), np.zeros(0, np.int64),
            np.zeros(0))  # fmt: skip


class Windows:
    """The windows of every epoch."""

    def __init__(
        self,
        found: Visits,
        firsts: Ints,
        config: BatchConfig,
        window: int,
        read: ReadLengths,
        *,
        tokens_alone: bool = False,
        choose: Choose | None = None,
    ) -> None:
        """Cut the epochs of a corpus.

        Args:
            found: what comes in an epoch.
            firsts: where the samples of each shard begin in a count of all, and their end, [S + 1].
            config: how batches are made up; its epoch is not used.
            window: about how many samples are planned at once.
            read: reads a shard's lengths; a shard that it returns nothing of has no samples.
            tokens_alone: make batches of like numbers of tokens, whatever their durations.
            choose: says which samples of a shard, by their positions, come at all; all if None.

        """
        self._visits, self._firsts, self._config, self._read = found, firsts, config, read
        self._tokens_alone, self._choose = tokens_alone, choose
        self._expected = found.expected
        self.count = count_windows(found, window)

    def members(self, epoch: int, number: int) -> Ints:
        """Return which visits make up a window."""
        dice = np.random.Generator(np.random.PCG64([self._config.seed, epoch, SHARDS]))
        order = dice.permutation(len(self._expected))
        middles = np.cumsum(self._expected[order]) - self._expected[order] / 2
        where = (middles * self.count / self._expected.sum()).astype(np.int64)
        members: Ints = order[where == number]
        return members

    def pieces(self, epoch: int, number: int) -> list[tuple[int, int, int]]:
        """Return what a window reads: shards, each with a first sample and one after the last."""
        found, members = self._visits, self.members(epoch, number)
        columns = found.shard[members], found.first[members], found.last[members]
        triples = zip(*(column.tolist() for column in columns), strict=True)
        return list(dict.fromkeys(triples))

    def plan(self, epoch: int, number: int) -> Window:
        """Plan a window; a pure function of the lengths and the settings."""
        members = self.members(epoch, number)
        parts = [self._samples(visit, epoch) for visit in members.tolist()]
        shard = self._visits.shard[np.repeat(members, [len(part[0]) for part in parts])]
        columns = zip(_NOTHING, *parts, strict=True)
        position, keys, seconds, tokens, stored = map(np.concatenate, columns)
        by = np.maximum(tokens, 1).astype(np.float64) if self._tokens_alone else seconds
        turn = (epoch * self.count + number) % MAX_SEED
        return Window(
            shard=shard,
            position=position,
            draw=mix(mix(keys, self._config.seed), epoch),
            seconds=seconds,
            tokens=tokens,
            stored=stored,
            by=by,
            plan=plan_epoch(by, tokens, replace(self._config, epoch=turn), keys),
        )

    def _samples(self, visit: int, epoch: int) -> tuple[Ints, Keys, Floats, Ints, Floats]:
        """Return positions, keys and lengths of the samples of a visit."""
        found = self._visits
        shard, copy = int(found.shard[visit]), int(found.copy[visit])
        lengths = self._read(shard)
        position = np.arange(len(lengths.seconds))
        # A sample that comes again is another sample to the planner.
        keys = (position + self._firsts[shard] + copy * self._firsts[-1]).astype(np.uint64)
        chosen = (position >= found.first[visit]) & (position < found.last[visit])
        if self._choose is not None:
            chosen &= self._choose(shard, position)
        if found.share[visit] < 1:
            draws = uniform(keys, self._config.seed, epoch, SHARE)
            chosen &= draws < found.share[visit]
        columns = position, keys, lengths.seconds, lengths.tokens, lengths.stored
        return tuple(column[chosen] for column in columns)
