"""The lengths of a prepared shard's samples, read from where it lies."""

from collections.abc import Mapping
from typing import Any

from wavemill import storage
from wavemill.errors import DatasetError
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lengths import Lengths, read_lengths


def shard_lengths(dataset: Dataset, shard: Mapping[str, Any]) -> Lengths:
    """Read the lengths of one of a dataset's shards, as `dataset.json` lists it.

    Raises:
        DatasetError: they are missing or damaged.

    """
    place = storage.join(dataset.url, shard["bucket"], layout.lengths_name(shard["number"]))
    try:
        data = storage.read_bytes(place)
        return read_lengths(data, list(dataset.content["tokenizers"]), shard["samples"])
    except OSError as error:
        raise DatasetError(
            f"cannot read {place}: {error.strerror or error}; give the same `wavemill prepare`"
            " again, which writes what is missing"
        ) from error
    except ValueError as error:
        raise DatasetError(
            f"{place} is damaged: {error}; `wavemill lint` says what else is"
        ) from error
