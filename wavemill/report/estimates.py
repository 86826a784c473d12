"""What cuts and tokens say of languages, speakers and ids: of all samples, or of those drawn."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wavemill.loader.adapters.shards import Shards
from wavemill.loader.sample import Sample
from wavemill.report.draw import draw_runs, pieces
from wavemill.report.spread import Ints
from wavemill.sharding.dataset import Dataset

DRAWN = 16_384
"""Samples whose cuts and tokens are read at most, about."""
UNKNOWN = ""
"""Stands for no language, or no speaker."""


@dataclass(kw_only=True)
class Tally:
    """Samples and seconds of audio by language or speaker."""

    samples: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, names: Iterable[str], seconds: float) -> None:
        """Count a sample once for each of its names."""
        for name in set(names) or {UNKNOWN}:
            self.samples[name] += 1
            self.seconds[name] += seconds

    def top(self, most: int) -> list[tuple[str, int, float]]:
        """Return names, samples and seconds, the most audio first."""
        names = sorted(self.samples, key=lambda name: (-self.seconds[name], name))
        return [(name, self.samples[name], self.seconds[name]) for name in names[:most]]


@dataclass(kw_only=True)
class Estimates:
    """What the samples that were read say."""

    total: int
    """Samples that there are."""
    read: int = 0
    seconds: float = 0.0
    """Of those that were read."""
    languages: Tally = field(default_factory=Tally)
    speakers: Tally = field(default_factory=Tally)
    ids: dict[str, Ints] = field(default_factory=dict)
    """How often each id of each codebook of a stream occurs, [Q, K]."""

    @property
    def whole(self) -> bool:
        """Whether all were read, so that nothing is an estimate."""
        return self.read == self.total

    @property
    def scale(self) -> float:
        """What numbers of samples are multiplied by."""
        return self.total / max(self.read, 1)

    def add(self, sample: Sample) -> None:
        """Count a sample."""
        assert sample.cut is not None
        seconds = float(sample.cut["duration"])
        said: list[dict[str, Any]] = sample.cut["supervisions"]
        self.read += 1
        self.seconds += seconds
        self.languages.add([one["language"] for one in said if one.get("language")], seconds)
        self.speakers.add([one["speaker"] for one in said if one.get("speaker")], seconds)
        for stream, ids in sample.tokens.items():
            counts = self.ids[stream]
            for codebook, row in enumerate(ids.T):
                counts[codebook] += np.bincount(row, minlength=counts.shape[1])


def estimate(
    dataset: Dataset, seed: int, show: Callable[[int], Any], wanted: int = DRAWN
) -> Estimates:
    """Read the cuts and tokens of all samples, or of about `wanted` of them.

    Args:
        dataset: whose.
        seed: says which.
        show: is told how many were read.
        wanted: how many are enough.

    Raises:
        DatasetError: one cannot be read.

    """
    content = dataset.content
    found = Estimates(total=content["totals"]["samples"])
    for name, facts in content["tokenizers"].items():
        found.ids[name] = np.zeros((facts["num_codebooks"], facts["codebook_size"]), np.int64)
    if not found.total:
        return found
    shards = Shards(dataset.url, audio=not content["tokenizers"])
    sizes = [shard["samples"] for shard in content["shards"]]
    for piece in pieces(draw_runs(found.total, wanted, seed), sizes):
        for sample in shards.read(piece.shard, piece.first, piece.last):
            found.add(sample)
        show(found.read)
    return found
