"""Batches of utterances to learn from, in the order and with the state of `ShardLoader`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from wavemill.digest import digest
from wavemill.errors import DatasetError
from wavemill.hypotheses.folder import AT_ONCE, HypothesesFolder
from wavemill.hypotheses.records import (
    UTTERANCE_SCHEMA,
    Utterance,
    utterance_from_row,
    utterance_row,
)
from wavemill.loader.batch import Batch
from wavemill.loader.blend import repeats
from wavemill.loader.machine import default_rank
from wavemill.loader.order import budget_of
from wavemill.loader.progress import Progress, from_state, to_state
from wavemill.loader.requests import Lengths
from wavemill.loader.split import Split
from wavemill.loader.statistics import Counts, Statistics
from wavemill.loader.steps import Step, steps
from wavemill.loader.windows import Windows, visits
from wavemill.sharding.batches import BatchConfig
from wavemill.sharding.buckets import Ints

WINDOW = 1 << 16
PIECE = 1 << 12
"""Utterances that come one after the other into a window."""


@dataclass(kw_only=True)
class HypothesesBatch(Batch):
    """Utterances with references, B of them; `text` has the references."""

    utterances: list[Utterance] = field(default_factory=list)


class HypothesesLoader:
    """Batches of the utterances of folders that have a reference and a hypothesis.

    All of them are in memory, as Arrow: somewhat more than their texts. An utterance is as long as
    its hypotheses and reference together, in characters, which stand where a dataset has tokens.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own, given by name
        self,
        folders: Sequence[HypothesesFolder],
        *,
        splits: Sequence[str] = (),
        weights: Sequence[float] = (),
        batch_tokens: int | None = None,
        batch_size: int | None = None,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        accumulate: int = 1,
        split: Split | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        """Read folders.

        Args:
            folders: whose utterances come.
            splits: which of them; all if there are none.
            weights: shares that utterances of each folder should have; each comes once if none.
            batch_tokens: padded characters that a batch may hold.
            batch_size: utterances that a batch may hold.
            seed: of all that is drawn.
            rank: which of the ranks this is; by torch.distributed or torchrun's variables if None.
            world_size: how many ranks there are.
            accumulate: batches of each rank that make up a step.
            split: a share of the utterances, or what is left; all if None.
            device: makes no difference: there are texts in a batch, and no tensors to speak of.

        Raises:
            DatasetError: a folder is damaged, or has no such utterance.
            UsageError: settings contradict each other.

        """
        del device
        self._tables = [_read(folder, splits) for folder in folders]
        self._lengths = [_lengths(table) for table in self._tables]
        sizes = np.array([len(table) for table in self._tables])
        self._firsts = np.concatenate([[0], np.cumsum(sizes)])
        config = BatchConfig(
            budget=budget_of(
                seconds=None, tokens=batch_tokens, area=None, size=batch_size, profile=None
            ),
            seed=seed,
        )
        often = repeats(sizes.tolist(), list(weights) or None, 1.0)
        self._windows = Windows(
            visits(sizes, np.array(often), PIECE),
            self._firsts,
            config,
            WINDOW,
            lambda number: self._lengths[number],
            tokens_alone=True,
            choose=None if split is None else self._chooser(split),
        )
        settings = [repr(config), list(often), list(splits), split and repr(split)]
        self._identity = {
            "data": digest([folder.digest for folder in folders]),
            "settings": digest(settings),
        }
        self._rank = default_rank(rank, world_size, accumulate)
        self._progress = Progress()
        self.statistics = Statistics(rank=self._rank.rank)
        """Of the batches given since `iter`."""

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of another epoch; where it stands in this one is kept."""
        if epoch != self._progress.epoch:
            self._progress = Progress(epoch=epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return where it stands after the last batch it gave: plain JSON values."""
        return to_state(self._progress, self._identity)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, of this loader or of one with other ranks.

        Raises:
            JobError: it is not a state.
            UsageError: it is of other folders or of other settings of the order.

        """
        self._progress = from_state(state, self._identity, self._windows.count)

    def __iter__(self) -> Iterator[HypothesesBatch]:
        """Yield what is left of the epoch."""
        self.statistics = statistics = Statistics(rank=self._rank.rank)
        epoch = self._progress.epoch
        began = asked = time.perf_counter()
        for step in steps(self._windows, self._progress, self._rank):
            batch = self._batch(step)
            now = time.perf_counter()
            statistics.add(_counts(step))
            statistics.waited += now - asked
            statistics.elapsed = now - began
            self._progress = step.after
            yield batch
            asked = time.perf_counter()
        self._progress = Progress(epoch=epoch + 1)

    def _batch(self, step: Step) -> HypothesesBatch:
        requests = step.requests()
        found = [
            utterance_from_row(self._tables[shard].slice(position, 1).to_pylist()[0])
            for shard, position in zip(requests.shards, requests.positions, strict=True)
        ]
        return HypothesesBatch(
            keys=[one.id for one in found],
            datasets=torch.tensor(requests.shards),
            text=[one.reference for one in found],
            bucket=step.bucket,
            state=to_state(step.after, self._identity),
            utterances=found,
        )

    def _chooser(self, split: Split) -> Any:
        def choose(folder: int, positions: Ints) -> npt.NDArray[np.bool_]:
            del folder
            return split.chosen(positions.astype(np.uint64))

        return choose


def _read(folder: HypothesesFolder, splits: Sequence[str]) -> pa.Table:
    """Read what can be learnt from; rows go straight into Arrow, which holds them tightly."""
    parts, waiting = [], []
    for one in folder.utterances(*splits):
        if one.reference is not None and one.hypotheses:
            waiting.append(utterance_row(one))
        if len(waiting) == AT_ONCE:
            parts.append(pa.Table.from_pylist(waiting, schema=UTTERANCE_SCHEMA))
            waiting.clear()
    parts.append(pa.Table.from_pylist(waiting, schema=UTTERANCE_SCHEMA))
    table = pa.concat_tables(parts)
    if not len(table):
        which = f" of {' or '.join(splits)}" if splits else ""
        raise DatasetError(
            f"{folder.url} has no utterance{which} with a reference: there is nothing to learn from"
        )
    return table


def _lengths(table: pa.Table) -> Lengths:
    tokens = np.array(
        [
            len(row["reference"]) + sum(len(one["text"]) for one in row["hypotheses"])
            for batch in table.select(["reference", "hypotheses"]).to_batches(AT_ONCE)
            for row in batch.to_pylist()
        ],
        dtype=np.int64,
    )
    seconds = np.ones(len(tokens))
    return Lengths(seconds=seconds, tokens=tokens, stored=seconds)


def _counts(step: Step) -> Counts:
    size = len(step.members)
    return Counts(
        batches=1,
        samples=size,
        tokens=step.tokens,
        padded_tokens=size * step.max_tokens,
        repeated=size if step.repeats else 0,
    )
