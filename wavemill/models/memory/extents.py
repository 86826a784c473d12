"""A dataset's buckets as a recipe meets them, and how long a batch of each may be."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wavemill.errors import DatasetError
from wavemill.models.recipe import Needs
from wavemill.models.synthetic import Extent
from wavemill.sharding import layout
from wavemill.sharding.bins import cut_bounds
from wavemill.sharding.buckets import Bounds, Floats, Ints
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lengths import Lengths, lengths_dtype
from wavemill.sharding.shard_lengths import shard_lengths

DEFAULT_BUCKETS, DEFAULT_SUB_BUCKETS = 10, 2
"""Where a dataset does not say how it was cut."""


@dataclass(frozen=True, kw_only=True)
class Extents:
    """The buckets of a dataset."""

    seconds: Floats
    """Of every sample, [N]."""
    tokens: Ints
    """Of the longest stream that the recipe needs, [N]; 0 where it needs none."""
    bounds: Bounds
    extents: list[Extent]
    """The longest that a batch within a bucket's bounds can be."""


def find_extents(
    dataset: Dataset,
    needs: Needs,
    num_buckets: int | None,
    num_sub_buckets: int | None,
    show: Callable[[int], None],
) -> Extents:
    """Cut a dataset's samples into buckets by duration and by the tokens that a recipe needs.

    Args:
        dataset: that is read.
        needs: of the recipe.
        num_buckets: cuts by duration; as the dataset was cut if None.
        num_sub_buckets: cuts of each of them by tokens; as the dataset was cut if None.
        show: told how many samples' lengths were read.

    Raises:
        DatasetError: there are no samples, or their lengths cannot be read.

    """
    settings = dataset.content["settings"]
    rows = _read(dataset, show)
    seconds = rows[layout.SECONDS].astype(np.float64)
    streams = {name: rows[layout.tokens_field(name)].astype(np.int64) for name in needs.streams}
    tokens = np.max([*streams.values(), np.zeros(len(rows), np.int64)], axis=0)
    bounds = cut_bounds(
        seconds,
        tokens,
        num_buckets or settings.get("buckets", DEFAULT_BUCKETS),
        num_sub_buckets or settings.get("sub_buckets", DEFAULT_SUB_BUCKETS),
    )
    extents = []
    for bucket in bounds.buckets:
        within = (seconds <= bucket.max_seconds) & (tokens <= bucket.max_tokens)
        longest = {
            name: max(1, int(lengths.max(where=within, initial=0)))
            for name, lengths in streams.items()
        }
        extents.append(Extent(seconds=bucket.max_seconds, tokens=longest))
    return Extents(seconds=seconds, tokens=tokens, bounds=bounds, extents=extents)


def _read(dataset: Dataset, show: Callable[[int], None]) -> Lengths:
    """Read the lengths of all samples, shard after shard."""
    streams = list(dataset.content["tokenizers"])
    parts = [np.zeros(0, lengths_dtype(streams))]
    count = 0
    for shard in dataset.content["shards"]:
        parts.append(shard_lengths(dataset, shard))
        count += shard["samples"]
        show(count)
    if not count:
        raise DatasetError(f"{dataset.url} holds no samples; prepare one that does")
    return np.concatenate(parts)
