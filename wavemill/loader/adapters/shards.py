"""Samples in the order in which they lie in shards: what other libraries shuffle by themselves."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from wavemill.errors import DatasetError
from wavemill.loader.corpus import Corpus, Location, urls_of
from wavemill.loader.machine import open_tars
from wavemill.loader.reader import Reader
from wavemill.loader.requests import Requests
from wavemill.loader.sample import Sample
from wavemill.loader.source import Need, locate
from wavemill.loader.sources import Sources
from wavemill.loader.wanted import AUDIO, Wanted
from wavemill.sharding import layout
from wavemill.sharding.untar import Member

TOGETHER = 64
"""Samples that are read at once."""


class Shards:
    """The shards of datasets. It may be pickled, and used after a fork."""

    def __init__(
        self,
        data: Location | Sequence[Location],
        streams: Sequence[str] | None = None,
        *,
        audio: bool = False,
        decode: bool = False,
    ) -> None:
        """Open datasets; no shard is read yet.

        Args:
            data: the folder or URL of a prepared dataset, or of several.
            streams: the token streams to read; all that every dataset has if None.
            audio: whether there must be audio.
            decode: whether samples hold it, decoded.

        Raises:
            DatasetError: a folder is no dataset.
            UsageError: a dataset lacks a stream, or audio; there is nothing to read.

        """
        urls = urls_of(data)
        self.corpus = Corpus(urls, streams, audio=audio)
        self._wanted = Wanted(streams=self.corpus.streams, audio=audio and decode, cuts=True)
        names = self._wanted.names
        self._tars = [AUDIO, *names] if audio and not decode else names
        self._sources = Sources(urls)
        self._reader: tuple[int, Reader] | None = None

    def __len__(self) -> int:
        return len(self.corpus.shards)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is of this process."""
        return {**self.__dict__, "_reader": None}

    @property
    def names(self) -> list[str]:
        """The URL of each shard's cuts: what tells one from another."""
        return [locate(ref, layout.cuts_name(ref.number)) for ref in self.corpus.shards]

    def read(self, shard: int, first: int = 0, last: int | None = None) -> Iterator[Sample]:
        """Yield samples of a shard, with their cuts.

        Args:
            shard: its number among all.
            first: where in the shard to begin.
            last: where to end before; its end if None.

        Raises:
            DatasetError: a sample cannot be read.

        """
        ref = self.corpus.shards[shard]
        end = ref.samples if last is None else last
        tars = [layout.tar_name(name, ref.number) for name in self._tars]
        whole = [layout.cuts_name(ref.number)]
        need = Need(shard=ref, first=first, last=end, tars=tars, whole=whole)
        self._sources.open(1)[ref.dataset].prepare([need])
        for start in range(first, end, TOGETHER):
            positions = list(range(start, min(start + TOGETHER, end)))
            zeros = [0.0] * len(positions)
            shards = [shard] * len(positions)
            requests = Requests(shards=shards, positions=positions, seconds=zeros, draws=zeros)
            for found in self._open().read(requests):
                if isinstance(found, DatasetError):
                    raise found
                assert found.cut is not None
                found.key = found.cut["id"]  # where no token stream is read, nothing else says it
                yield found

    def stored(self, shard: int, stream: str, position: int, key: str) -> list[Member]:
        """Return a sample's data as it lies in a tar, and lhotse's JSON of it.

        Args:
            shard: its number among all.
            stream: which tar: a token stream's, its times', or `audio`.
            position: of the sample in the shard.
            key: which it has in other tars.

        Raises:
            DatasetError: they cannot be read, or are another sample's.

        """
        members = self._open().stored(shard, stream, position)
        if [member.name.partition(".")[0] for member in members] != [key, key]:
            name = self.corpus.shards[shard].name
            raise DatasetError(
                f"{name}: sample {position} of {stream} is not {key!r}, unlike in other tars;"
                " `wavemill lint` says what is damaged"
            )
        return members

    def _open(self) -> Reader:
        """Return this process's reader."""
        if self._reader is None or self._reader[0] != os.getpid():
            sources = self._sources.open(1)
            self._reader = os.getpid(), Reader(self.corpus, self._wanted, sources, open_tars())
        return self._reader[1]
