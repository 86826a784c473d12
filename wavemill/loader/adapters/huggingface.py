"""Prepared datasets as a Hugging Face `datasets.IterableDataset`, shard by shard."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wavemill.loader.adapters.shards import Shards
from wavemill.loader.corpus import Location
from wavemill.loader.wanted import AUDIO
from wavemill.packages import require


def iterable_dataset(
    data: Location | Sequence[Location],
    streams: Sequence[str] | None = None,
    *,
    audio: bool = False,
) -> Any:
    """Return a `datasets.IterableDataset` over the shards of all buckets.

    It has as many shards as the datasets, so that `split_dataset_by_node`, `DataLoader` workers and
    `shuffle` deal them out; `state_dict` goes on within a shard. An example holds `key`; `text`;
    of each token stream `STREAM`, ids [T, Q], uint8 or uint16, and on an irregular clock
    `STREAM_times`, seconds [T, 2]; with audio `audio`, a dict of the stored file's `bytes` and its
    name, `path`: `.cast_column("audio", datasets.Audio())` decodes it with torchcodec.

    Args:
        data: the folder or URL of a prepared dataset, or of several.
        streams: the token streams to read; all that every dataset has if None.
        audio: read audio, too.

    Raises:
        DatasetError: a folder is no dataset; in iteration, a sample cannot be read.
        UsageError: datasets is not installed; a dataset lacks a stream, or audio.

    """
    datasets = require("datasets", "huggingface", "iterable_dataset")
    shards = Shards(data, streams, audio=audio)
    kwargs = {"source": shards, "numbers": list(range(len(shards))), "audio": audio}
    return datasets.IterableDataset.from_generator(
        _examples, features=_features(datasets, shards, audio=audio), gen_kwargs=kwargs
    )


def _features(datasets: Any, shards: Shards, *, audio: bool) -> Any:
    string = datasets.Value("string")
    features: dict[str, Any] = {"key": string, "text": string}
    for stream in shards.corpus.streams:
        dtype = np.min_scalar_type(stream.codebook_size - 1).name
        features[stream.name] = datasets.Array2D((None, stream.num_codebooks), dtype)
        if stream.times:
            features[stream.times] = datasets.Array2D((None, 2), "float32")
    if audio:
        # Not `Audio(decode=False)`: that, too, needs torchcodec.
        features[AUDIO] = {"bytes": datasets.Value("binary"), "path": string}
    return datasets.Features(features)


def _examples(source: Shards, numbers: list[int], *, audio: bool) -> Iterator[dict[str, Any]]:
    times = {stream.name: stream.times for stream in source.corpus.streams}
    for shard in numbers:
        for position, sample in enumerate(source.read(shard)):
            example: dict[str, Any] = {"key": sample.key, "text": sample.text}
            # Copies, which may be written to: torch takes no others without a warning.
            example |= {name: ids.copy() for name, ids in sample.tokens.items()}
            example |= {str(times[name]): values.copy() for name, values in sample.times.items()}
            if audio:
                data = source.stored(shard, AUDIO, position, sample.key)[0]
                example[AUDIO] = {"bytes": data.data, "path": data.name}
            yield example
