"""One or several prepared datasets as one list of shards, which share token streams."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.sharding.buckets import Ints
from wavemill.sharding.dataset import Dataset

Location = str | PathLike[str]
"""A path or a URL."""

SHARED = ("num_codebooks", "codebook_size", "frame_rate", "times", "weights_digest")
"""What a stream's facts must agree on from one dataset to another."""


def urls_of(data: Location | Iterable[Location]) -> list[str]:
    """Return the URLs of one folder or several."""
    places = [data] if isinstance(data, str | PathLike) else data
    return [storage.folder_url(fspath(place)) for place in places]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A token stream that is loaded."""

    name: str
    num_codebooks: int
    codebook_size: int
    frame_rate: float | None
    """Tokens a second; None on an irregular clock."""
    times: str | None
    """The tars that hold when tokens begin and end, on an irregular clock."""


@dataclass(frozen=True, kw_only=True)
class ShardRef:
    """One shard of a corpus."""

    dataset: int
    url: str
    """Of its dataset."""
    bucket: str
    number: int
    samples: int
    files: Mapping[str, tuple[int, str]]
    """Size in bytes and sha256 of each of its files, by their names in the bucket."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.url}/{self.bucket}, shard {self.number}"


class Corpus:
    """Datasets that are loaded together, in the order given."""

    def __init__(self, urls: Sequence[str], streams: Sequence[str] | None, *, audio: bool) -> None:
        """Open datasets.

        Args:
            urls: folders of datasets, one or more.
            streams: names of the token streams to load; all that every dataset has if None.
            audio: whether audio is loaded too.

        Raises:
            DatasetError: a folder is no dataset.
            UsageError: a dataset lacks a stream, or audio, or has another tokenizer's stream under
                the name; there is nothing to load.

        """
        if isinstance(streams, str):
            streams = [streams]
        if not urls:
            raise UsageError("no dataset to load; give the folder of one")
        self.datasets = [Dataset.open(url) for url in urls]
        self.streams = _streams(self.datasets, streams)
        if audio:
            _check_audio(self.datasets)
        elif not self.streams:
            raise UsageError(f"{urls[0]} holds no token stream; load its audio (audio=True)")

    @cached_property
    def shards(self) -> list[ShardRef]:
        """All shards, dataset after dataset."""
        return [
            ShardRef(
                dataset=number,
                url=dataset.url,
                bucket=shard["bucket"],
                number=shard["number"],
                samples=shard["samples"],
                files={
                    file["path"].removeprefix(f"{shard['bucket']}/"): (
                        file["bytes"],
                        file["sha256"],
                    )
                    for file in shard["files"]
                },
            )
            for number, dataset in enumerate(self.datasets)
            for shard in dataset.content["shards"]
        ]

    @cached_property
    def firsts(self) -> Ints:
        """Where the samples of each shard begin in a count of all, and their end, [S + 1]."""
        return np.cumsum([0, *(shard.samples for shard in self.shards)])

    @cached_property
    def dataset_of(self) -> Ints:
        """The dataset of each shard, [S]."""
        return np.array([shard.dataset for shard in self.shards], np.int64)

    @cached_property
    def begins(self) -> Ints:
        """Where in a count of its own dataset's samples each shard begins, [S]."""
        first_shard = np.searchsorted(self.dataset_of, self.dataset_of)
        return self.firsts[:-1] - self.firsts[first_shard]

    def dataset(self, shard: int) -> int:
        """Return which dataset a shard is of."""
        return self.shards[shard].dataset

    @property
    def samples(self) -> list[int]:
        """How many samples each dataset holds."""
        return [dataset.content["totals"]["samples"] for dataset in self.datasets]

    @property
    def digest(self) -> str:
        """Of what all datasets hold."""
        return digest([dataset.content["digest"] for dataset in self.datasets])


def _streams(datasets: Sequence[Dataset], names: Sequence[str] | None) -> list[Stream]:
    facts = [dataset.content["tokenizers"] for dataset in datasets]
    if names is None:
        names = [name for name in facts[0] if all(name in others for others in facts)]
    for dataset, own in zip(datasets, facts, strict=True):
        for name in names:
            if name not in own:
                there = ", ".join(own) or "none"
                raise UsageError(f"{dataset.url} has no token stream {name!r}; it has: {there}")
            _check_same(name, facts[0][name], own[name], datasets[0].url, dataset.url)
    return [_stream(name, facts[0][name]) for name in names]


def _stream(name: str, facts: Mapping[str, Any]) -> Stream:
    return Stream(
        name=name,
        num_codebooks=facts["num_codebooks"],
        codebook_size=facts["codebook_size"],
        frame_rate=facts["frame_rate"],
        times=facts["times"],
    )


def _check_same(
    name: str, first: Mapping[str, Any], other: Mapping[str, Any], url: str, other_url: str
) -> None:
    for fact in SHARED:
        if first[fact] != other[fact]:
            raise UsageError(
                f"the stream {name!r} of {other_url} is not that of {url}: {fact} is"
                f" {other[fact]}, not {first[fact]}; leave the stream or the dataset out"
            )


def _check_audio(datasets: Sequence[Dataset]) -> None:
    for dataset in datasets:
        if dataset.content["settings"]["audio"] == "none":
            raise UsageError(
                f"{dataset.url} holds no audio (--audio none); load tokens alone (audio=False)"
            )
