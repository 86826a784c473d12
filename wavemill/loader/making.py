"""From a step to its batch."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from wavemill.errors import DatasetError
from wavemill.loader.batch import Batch, Collate, collate, map_tensors, stack
from wavemill.loader.progress import Progress
from wavemill.loader.reader import Reader
from wavemill.loader.requests import Requests
from wavemill.loader.sample import Sample
from wavemill.loader.statistics import Counts
from wavemill.loader.steps import Step
from wavemill.loader.wanted import Wanted

LOG = logging.getLogger("wavemill.loader")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What became of a step."""

    value: Any
    """The batch; None where it is missing."""
    missing: bool
    """Whether no sample of it could be read."""
    bucket: str
    after: Progress
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes batches; safe to use from several threads."""

    reader: Reader
    wanted: Wanted
    collate: Collate
    skip: bool
    """Leave out samples that cannot be read, and count them; else raise."""

    def make(self, step: Step) -> Made:
        """Read and pad a batch.

        Raises:
            DatasetError: a sample cannot be read, and is not to be skipped.

        """
        requests = step.requests()
        value = self._stacked(requests)
        read = len(requests)
        if value is None:
            samples = self._samples(requests)
            value, read = (self.collate(samples) if samples else None), len(samples)
        if isinstance(value, Batch):
            value.bucket = step.bucket
            self._check_lengths(value, step)
        return Made(
            value=value,
            missing=not read,
            bucket=step.bucket,
            after=step.after,
            counts=_counts(step, read),
        )

    def _check_lengths(self, batch: Batch, step: Step) -> None:
        """Hold a batch to what it was planned by: else it may be over its limits."""
        for name in self.wanted.counted_names:
            longest = batch.tokens[name].shape[1]
            if longest > step.max_tokens:
                raise DatasetError(
                    f"a sample of {batch.keys} has {longest} tokens of {name}, and its shard's"
                    f" lengths file says {step.max_tokens} at most; `wavemill lint` says where"
                )

    def _stacked(self, requests: Requests) -> Batch | None:
        """Make a batch of arrays alone, by the collate that is there; None where that fails."""
        if self.wanted.more or self.collate is not collate:
            return None
        try:
            return stack(self.reader.columns(requests), limits=self.wanted.limits)
        except (ValueError, IndexError, DatasetError):
            return None

    def _samples(self, requests: Requests) -> list[Sample]:
        samples: list[Sample] = []
        for found in self.reader.read(requests):
            if not isinstance(found, DatasetError):
                samples.append(found)
            elif self.skip:
                LOG.warning("skipped: %s", found)
            else:
                raise found
        return samples


def without_gaps(made: Iterator[Made], others: Callable[[], Iterator[Made]]) -> Iterator[Made]:
    """Put another batch where no sample of one can be read: all ranks need as many.

    Args:
        made: batches, some of them missing.
        others: gives all batches of the epoch, in case that not one of these can be read.

    Raises:
        DatasetError: not one can be read.

    """
    last = None
    waiting: list[Made] = []
    for batch in made:
        if batch.missing:
            LOG.warning("no sample of a batch can be read: another batch comes again")
        else:
            last = batch
        waiting.append(batch)
        if last is not None:
            yield from (_filled(one, last) for one in waiting)
            waiting.clear()
    if not waiting:
        return
    found = next((other for other in others() if not other.missing), None)
    if found is None:
        raise DatasetError("no sample can be read; `wavemill lint` says what is damaged")
    yield from (_filled(one, found) for one in waiting)


def _filled(made: Made, by: Made) -> Made:
    """Give a missing batch the value of another; a copy, as trainers may change theirs."""
    if not made.missing:
        return made
    value = map_tensors(by.value, torch.clone)
    if isinstance(value, Batch):
        value.bucket = made.bucket
    return replace(made, value=value)


def _counts(step: Step, read: int) -> Counts:
    size = len(step.members)
    return Counts(
        batches=1,
        samples=read,
        seconds=step.seconds,
        padded_seconds=size * step.max_seconds,
        tokens=step.tokens,
        padded_tokens=size * step.max_tokens,
        skipped=size - read,
        repeated=read if step.repeats else 0,
    )
