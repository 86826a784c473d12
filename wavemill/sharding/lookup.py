"""Find one sample of a dataset by its key."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

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
    for line in _lines(dataset):
        # Most lines are not worth parsing.
        if mark in line.text or not example:
            found = line.parsed()
            own = found.cut["id"]
            example = example or own
            if own == key:
                return found
            if own.startswith(f"{key}-"):
                begin.append(found)
    if not begin:
        raise DatasetError(f"{dataset.url} holds no sample {key!r}; keys look like {example!r}")
    if len(begin) > 1:
        known = " and ".join(repr(found.cut["id"]) for found in begin[:2])
        raise DatasetError(f"{dataset.url} holds several samples {key!r}: {known}; give one whole")
    return begin[0]


def all_samples(dataset: Dataset) -> Iterator[Found]:
    """Find every sample, in the order of the shards."""
    return (line.parsed() for line in _lines(dataset))


class _Line(NamedTuple):
    folder: str
    shard: int
    position: int
    text: bytes

    def parsed(self) -> Found:
        return Found(
            folder=self.folder, shard=self.shard, position=self.position, cut=json.loads(self.text)
        )


def _lines(dataset: Dataset) -> Iterator[_Line]:
    """Yield the cuts of all samples as they are written."""
    for shard in dataset.content["shards"]:
        folder, number = storage.join(dataset.url, shard["bucket"]), shard["number"]
        content = storage.read_bytes(storage.join(folder, layout.cuts_name(number)))
        for position, text in enumerate(content.splitlines()):
            yield _Line(folder, number, position, text)


def read_codes(found: Found, stream: str) -> npt.NDArray[Any]:
    """Read a sample's token array, [T, Q]."""
    tar = storage.join(found.folder, layout.tar_name(stream, found.shard))
    index = unpack_index(storage.read_bytes(f"{tar}.idx"))
    with storage.open_read(tar) as file:
        file.seek(index[found.position])
        member = next(read_members(file, index[-1] - index[found.position]))
    codes: npt.NDArray[Any] = np.load(io.BytesIO(member.data), allow_pickle=False)
    return codes
