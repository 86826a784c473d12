"""What decides the order of batches, and so what a state belongs to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from numbers import Real
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest
from wavemill.errors import DatasetError, UsageError
from wavemill.loader.corpus import Corpus
from wavemill.loader.making import LOG
from wavemill.loader.reader import Reader
from wavemill.loader.requests import Lengths
from wavemill.loader.wanted import Wanted
from wavemill.loader.windows import Visits, Windows, count_windows, visits
from wavemill.sharding.batches import BatchConfig
from wavemill.sharding.bins import read_profile_file
from wavemill.sharding.buckets import Ints
from wavemill.sharding.budget import BucketSize, Budget
from wavemill.specs import check_range

PIECES = 16
"""Of shards, at least, that a window is made of: a shard is of one bucket."""


class Order:
    """The order of a corpus in every epoch; it knows of no ranks, workers or machines."""

    def __init__(
        self,
        corpus: Corpus,
        wanted: Wanted,
        config: BatchConfig,
        often: Sequence[float],
        window: int,
    ) -> None:
        """Order samples.

        Args:
            corpus: whose.
            wanted: what of a sample is loaded, which decides how long it is.
            config: how batches are made up.
            often: how often samples of each dataset come in an epoch.
            window: about how many samples are planned at once.

        """
        self._corpus, self._wanted, self._config = corpus, wanted, config
        self._often, self.window = list(often), window

    @cached_property
    def identity(self) -> dict[str, str]:
        """Digests of what decides the order."""
        crop = self._wanted.crop
        settings: list[Any] = [
            asdict(self._config), asdict(crop) if crop else None, self._wanted.counted_names,
            self._often, self.window,
        ]  # fmt: skip
        if self._wanted.split is not None:
            settings.append(asdict(self._wanted.split))
        return {"data": self._corpus.digest, "settings": digest(_plain(settings))}

    @cached_property
    def _visits(self) -> Visits:
        often = np.array(self._often)[self._corpus.dataset_of]
        return visits(np.diff(self._corpus.firsts), often, max(self.window // PIECES, 1))

    @property
    def windows_an_epoch(self) -> int:
        """How many windows an epoch has; no shard is read to know it."""
        return count_windows(self._visits, self.window)

    def windows(self, reader: Reader, *, skip: bool) -> Windows:
        """Return the windows of every epoch.

        Args:
            reader: of the corpus.
            skip: leave out shards whose lengths cannot be read; else that raises.

        """
        sizes = np.diff(self._corpus.firsts)

        def lengths(shard: int) -> Lengths:
            try:
                return reader.lengths(shard)
            except DatasetError as error:
                if not skip:
                    raise
                LOG.warning("skipped %d samples: %s", sizes[shard], error)
                return Lengths.none()

        return Windows(
            self._visits,
            self._corpus.firsts,
            self._config,
            self.window,
            lengths,
            tokens_alone=self._tokens_alone,
            choose=self._choose if self._wanted.split else None,
        )

    def _choose(self, shard: int, positions: Ints) -> npt.NDArray[np.bool_]:
        split = self._wanted.split
        assert split is not None
        return split.chosen((positions + self._corpus.begins[shard]).astype(np.uint64))

    @property
    def _tokens_alone(self) -> bool:
        """Whether durations neither are padded nor limit a batch."""
        budget = self._config.budget
        limited = budget.seconds is not None or budget.area is not None or bool(budget.sizes)
        return bool(self._wanted.streams) and not self._wanted.audio and not limited


def _plain(value: Any) -> Any:
    """Write all numbers alike: 200, 200.0 and numpy's are the same setting."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return repr(float(value)) if isinstance(value, Real) else value


def budget_of(
    *,
    seconds: float | None,
    tokens: int | None,
    area: float | None,
    size: int | None,
    profile: str | PathLike[str] | None,
) -> Budget:
    """Return what a batch may hold, by the limits that a loader was given.

    Raises:
        UsageError: there is none, or two of its size.
        JobError: the profile cannot be read.

    """
    check_range("batch_size", size, 1, 1 << 31)
    if size is not None and profile is not None:
        raise UsageError("give batch_size or a profile, not both")
    sizes = read_profile_file(fspath(profile)) if profile is not None else []
    if size is not None:
        sizes = [BucketSize(max_seconds=math.inf, max_tokens=math.inf, size=size)]
    return Budget(seconds=seconds, tokens=tokens, area=area, sizes=sizes)
