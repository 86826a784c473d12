"""Prepared datasets as a lhotse `CutSet`: read lazily, and any cut at once through the indexes."""

import operator
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from wavemill.loader.adapters.shards import Shards
from wavemill.loader.corpus import Location
from wavemill.loader.sample import Sample
from wavemill.loader.wanted import AUDIO
from wavemill.packages import require


def cut_set(
    data: Location | Sequence[Location],
    streams: Sequence[str] | None = None,
    *,
    audio: bool = True,
    shuffle_shards: bool = False,
    split_for_dataloading: bool = False,
    seed: int | str = 42,
) -> Any:
    """Return a lazy `lhotse.CutSet` over the shards of all buckets.

    Cuts hold their data: `cut.load_audio()`, `cut.load_STREAM()` for ids [T, Q] and on an irregular
    clock `cut.load_STREAM_times()` for seconds [T, 2]. lhotse's samplers take it; `cuts[17]` reads
    that cut alone.

    Args:
        data: the folder or URL of a prepared dataset, or of several.
        streams: the token streams to read; all that every dataset has if None.
        audio: read audio, too.
        shuffle_shards: in another order at each iteration; as of `CutSet.from_shar`.
        split_for_dataloading: give each rank and `DataLoader` worker shards of its own; as of
            `CutSet.from_shar`.
        seed: of the shuffle, a number, `randomized` or `trng`; as of `CutSet.from_shar`.

    Raises:
        DatasetError: a folder is no dataset; in iteration, a sample cannot be read.
        UsageError: lhotse is not installed; a dataset lacks a stream, or audio.

    """
    lhotse = require("lhotse", "readers", "cut_set")
    shards = Shards(data, streams, audio=audio)
    return lhotse.CutSet(
        Cuts(shards, audio=audio, shuffle=shuffle_shards, split=split_for_dataloading, seed=seed)
    )


class Cuts:
    """What a lazy `CutSet` iterates over."""

    def __init__(
        self, shards: Shards, *, audio: bool, shuffle: bool, split: bool, seed: int | str
    ) -> None:
        """Read shards."""
        self._shards, self._shuffle, self._split, self._seed = shards, shuffle, split, seed
        # By lhotse's name of the field, and by the tars'.
        self._fields = {"recording": AUDIO} if audio else {}
        for stream in shards.corpus.streams:
            names = [stream.name, *([stream.times] if stream.times else [])]
            self._fields |= {name: name for name in names}
        self.epoch = 0

    def __len__(self) -> int:
        return int(self._shards.corpus.firsts[-1])

    def __iter__(self) -> Iterator[Any]:
        for shard in self._order():
            for position, sample in enumerate(self._shards.read(shard)):
                yield self._cut(sample, shard, position)
        self.epoch += 1

    def __getitem__(self, number: int) -> Any:
        place = operator.index(number)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"cut {number} of {len(self)}")
        firsts = self._shards.corpus.firsts
        shard = int(np.searchsorted(firsts, place, side="right")) - 1
        position = place - int(firsts[shard])
        (sample,) = self._shards.read(shard, position, position + 1)
        return self._cut(sample, shard, position)

    def _order(self) -> list[int]:
        """Return the shards to read, shuffled and split by lhotse's rules."""
        order = list(range(len(self._shards)))
        if self._shuffle:
            from lhotse.dataset.dataloading import resolve_seed

            dice = random.Random(resolve_seed(self._seed) + self.epoch)  # noqa: S311 - lhotse's own
            dice.shuffle(order)
        if self._split:
            from lhotse.shar.readers.utils import split_by_node, split_by_worker

            order = split_by_worker(split_by_node(order))
        return order

    def _cut(self, sample: Sample, shard: int, position: int) -> Any:
        from lhotse.serialization import deserialize_item
        from lhotse.shar.utils import fill_shar_placeholder

        cut = deserialize_item(sample.cut)
        for field, stream in self._fields.items():
            data, about = self._shards.stored(shard, stream, position, sample.key)
            manifest = deserialize_item(orjson.loads(about.data))
            fill_shar_placeholder(manifest, data.data, data.name)
            setattr(cut, field, manifest)
        return cut
