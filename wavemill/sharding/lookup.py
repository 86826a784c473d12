"""Find one sample of a dataset by its key."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.errors import DatasetError
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.tar import unpack_index
from wavemill.sharding.untar import read_members


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a sample lies."""

    folder: str
    """The URL of its bucket."""
    shard: int
    position: int
    """Its place in the shard."""
    cut: dict[str, Any]


def find_sample(dataset: Dataset, key: str) -> Found:
    """Find a sample by reading the cuts of one shard after the other.

    Args:
        dataset: where it is.
        key: its key, or how that begins, up to one of its hyphens, where no other begins so.

    Raises:
        DatasetError: there is no such sample, or more than one.

    """
    mark = json.dumps(key, ensure_ascii=False)[:-1].encode()
    example, begin = "", []
    for shard in dataset.content["shards"]:
        folder = storage.join(dataset.url, shard["bucket"])
        lines = storage.read_bytes(storage.join(folder, layout.cuts_name(shard["number"])))
        for position, line in enumerate(lines.splitlines()):
            # Most lines are not worth parsing.
            if (mark in line or not example) and (cut := json.loads(line)):
                example = example or cut["id"]
                found = Found(folder=folder, shard=shard["number"], position=position, cut=cut)
                if cut["id"] == key:
                    return found
                if cut["id"].startswith(f"{key}-"):
                    begin.append(found)
    if not begin:
        raise DatasetError(f"{dataset.url} holds no sample {key!r}; keys look like {example!r}")
    if len(begin) > 1:
        known = " and ".join(repr(found.cut["id"]) for found in begin[:2])
        raise DatasetError(f"{dataset.url} holds several samples {key!r}: {known}; give one whole")
    return begin[0]


def all_samples(dataset: Dataset) -> Iterator[Found]:
    """Find every sample, in the order of the shards."""
    for shard in dataset.content["shards"]:
        folder = storage.join(dataset.url, shard["bucket"])
        lines = storage.read_bytes(storage.join(folder, layout.cuts_name(shard["number"])))
        for position, line in enumerate(lines.splitlines()):
            yield Found(
                folder=folder, shard=shard["number"], position=position, cut=json.loads(line)
            )


def read_codes(found: Found, stream: str) -> npt.NDArray[Any]:
    """Read a sample's token array, [T, Q]."""
    tar = storage.join(found.folder, layout.tar_name(stream, found.shard))
    index = unpack_index(storage.read_bytes(f"{tar}.idx"))
    with storage.open_read(tar) as file:
        file.seek(index[found.position])
        member = next(read_members(file, index[-1] - index[found.position]))
    codes: npt.NDArray[Any] = np.load(io.BytesIO(member.data), allow_pickle=False)
    return codes
