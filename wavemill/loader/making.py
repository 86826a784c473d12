"""From a step to its batch."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from wavemill.errors import DatasetError
from wavemill.loader.batch import Batch, Collate, collate, stack
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
    """The batch; None where no sample of it could be read."""
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
        return Made(value=value, after=step.after, counts=_counts(step, read))

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


def without_gaps(made: Iterator[Made]) -> Iterator[Made]:
    """Put the good batch before it where no sample of one can be read: all ranks need as many.

    Raises:
        DatasetError: not one can be read.

    """
    last = None
    missing: list[Made] = []
    for batch in made:
        if batch.value is not None:
            last = batch.value
        else:
            LOG.warning("no sample of a batch can be read: another batch comes again")
        missing.append(batch)
        if last is not None:
            yield from (replace(one, value=last) for one in missing)
            missing.clear()
    if missing:
        raise DatasetError("no sample can be read; `wavemill lint` says what is damaged")


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
