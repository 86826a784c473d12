"""Samples of a corpus, read one by one or a batch at a time."""

import contextlib
import io
import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import soundfile

from wavemill.audio import resample
from wavemill.errors import DatasetError
from wavemill.loader.arrays import read_array
from wavemill.loader.audio import decode
from wavemill.loader.columns import Arrays, Columns, largest, read_column
from wavemill.loader.corpus import Corpus
from wavemill.loader.requests import Lengths, Request, Requests
from wavemill.loader.sample import Sample
from wavemill.loader.source import Source, locate
from wavemill.loader.stores.store import StoreError
from wavemill.loader.tars import REMEDY, Tar, first_member
from wavemill.loader.wanted import AUDIO, Wanted
from wavemill.sharding import layout
from wavemill.sharding.lengths import read_lengths
from wavemill.sharding.untar import Member, read_members

CROP_GRID = 1000.0
"""Crops of audio without a token stream on a regular clock begin at whole milliseconds."""
MAX_SECONDS, MAX_TOKENS = 1e9, 1 << 31
"""No honest sample is longer."""


class Reader:
    """Reads samples; safe to use from several threads."""

    def __init__(
        self, corpus: Corpus, wanted: Wanted, sources: Sequence[Source], open_tars: int
    ) -> None:
        """Read each dataset from its source, with so many tars open at most."""
        self._corpus, self._wanted, self._sources = corpus, wanted, sources
        self._counted = [s for s in wanted.streams if s.name in wanted.counted_names]
        # Not of methods: a cycle would keep files open until the next garbage collection.
        self._tar = lru_cache(open_tars)(partial(_open_tar, corpus, sources))
        self._cuts = lru_cache(max(open_tars // 4, 4))(partial(_read_cuts, corpus, sources))

    def lengths(self, shard: int) -> Lengths:
        """Return how long the samples of a shard are.

        Raises:
            DatasetError: its lengths are missing or damaged.

        """
        ref = self._corpus.shards[shard]
        name = layout.lengths_name(ref.number)
        streams = list(self._corpus.datasets[ref.dataset].content["tokenizers"])
        data = bytes(self._sources[ref.dataset].whole(ref, name))
        try:
            rows = read_lengths(data, streams, ref.samples)
        except ValueError as error:
            raise DatasetError(f"{ref.name}: {name} is damaged: {error}; {REMEDY}") from error
        stored = rows[layout.SECONDS].astype(np.float64)
        if not bool(((stored > 0) & (stored <= MAX_SECONDS)).all()):
            raise DatasetError(f"{ref.name}: {name} holds durations that none are; {REMEDY}")
        crop = self._wanted.crop
        tokens = np.zeros(len(rows), np.int64)
        for stream in self._counted:
            own = rows[layout.tokens_field(stream.name)].astype(np.int64)
            if int(own.max(initial=0)) > MAX_TOKENS:
                raise DatasetError(f"{ref.name}: {name} holds lengths that none are; {REMEDY}")
            tokens = np.maximum(tokens, crop.limit_tokens(own, stream) if crop else own)
        seconds = crop.limit(stored) if crop else stored
        return Lengths(seconds=seconds, tokens=tokens, stored=stored)

    def read(self, requests: Requests) -> Iterator[Sample | DatasetError]:
        """Yield samples in order, or for each why it cannot be read."""
        self._read_ahead(requests)
        try:
            samples = self._columns(requests, check_ids=True).samples()
            if self._wanted.more:
                for sample, request in zip(samples, requests, strict=True):
                    self._complete(sample, request)
            yield from samples
        except (ValueError, IndexError, DatasetError):
            for request in requests:
                try:
                    yield self._sample(request)
                except DatasetError as error:
                    yield error

    def columns(self, requests: Requests) -> Columns:
        """Read arrays alone; which ids there are is not looked at.

        Raises:
            ValueError, IndexError, DatasetError: a sample cannot be read so; `read` says why.

        """
        self._read_ahead(requests)
        return self._columns(requests, check_ids=False)

    def stored(self, shard: int, stream: str, position: int) -> list[Member]:
        """Return the members of a sample in a tar as they are stored: its data, then their JSON.

        Raises:
            DatasetError: they cannot be read.

        """
        tar = self._tar(shard, stream)
        try:
            data = tar.sample(position)
            return list(itertools.islice(read_members(io.BytesIO(data), len(data)), 2))
        except (ValueError, IndexError) as error:
            raise _damaged(tar, position, "", f"is damaged: {error}") from error
        except StoreError as error:
            words = f"cannot be read: {error}"
            raise _damaged(tar, position, "", words, error.remedy) from error

    def _columns(self, requests: Requests, *, check_ids: bool) -> Columns:
        columns = Columns(datasets=[self._corpus.dataset(shard) for shard in requests.shards])
        for stream in self._wanted.streams:
            columns.tokens[stream.name] = arrays = self._column(
                stream.name, requests, columns, "u", stream.num_codebooks
            )
            if check_ids and largest(arrays) >= stream.codebook_size:
                raise ValueError("ids over the codebook")
            if stream.times:
                columns.times[stream.name] = times = self._column(
                    stream.times, requests, columns, "f", 2
                )
                if any(b.shape != (len(a), 2) for a, b in zip(arrays, times, strict=True)):
                    raise ValueError("times of other tokens")
        return columns

    def _column(
        self, name: str, requests: Requests, columns: Columns, kind: str, width: int
    ) -> Arrays:
        tars = [self._tar(shard, name) for shard in requests.shards]
        pairs = zip(tars, requests.positions, strict=True)
        found = [tar.held(position) for tar, position in pairs]
        held = [tar for tar in found if tar is not None]
        keys, arrays = read_column(held, requests.positions, kind, width)
        columns.check_keys(keys)
        return arrays

    def _read_ahead(self, requests: Requests) -> None:
        for source in {id(source): source for source in self._sources}.values():
            if not source.reads_ahead:
                continue
            pairs = []
            for shard, position in zip(requests.shards, requests.positions, strict=True):
                # What cannot be opened is met again, and told, where the sample is read.
                with contextlib.suppress(DatasetError):
                    if self._sources[self._corpus.dataset(shard)] is source:
                        pairs += [(self._tar(shard, name), position) for name in self._wanted.names]
            source.read_ahead(pairs)

    def _sample(self, request: Request) -> Sample:
        """Read a sample by itself; raises DatasetError with words for what is wrong."""
        shard, position = request.shard, request.position
        sample = Sample(key="", dataset=self._corpus.dataset(shard))
        for stream in self._wanted.streams:
            tar = self._tar(shard, stream.name)
            sample.tokens[stream.name] = ids = self._array(tar, position, sample)
            if ids.dtype.kind != "u" or ids.shape[1:] != (stream.num_codebooks,):
                raise _damaged(tar, position, sample.key, f"has ids {ids.shape} of {ids.dtype}")
            if ids.size and int(ids.max()) >= stream.codebook_size:
                words = f"has ids of {stream.codebook_size} or more"
                raise _damaged(tar, position, sample.key, words)
            if stream.times:
                tar = self._tar(shard, stream.times)
                sample.times[stream.name] = times = self._array(tar, position, sample)
                if times.shape != (len(ids), 2):
                    words = f"has times {times.shape} of tokens {ids.shape}"
                    raise _damaged(tar, position, sample.key, words)
        self._complete(sample, request)
        return sample

    def _complete(self, sample: Sample, request: Request) -> None:
        """Add to tokens what else is wanted, and crop."""
        wanted = self._wanted
        start = self._start(request) if wanted.crop else 0.0
        if wanted.crop:
            for stream in wanted.streams:
                wanted.crop.tokens(sample, stream, start)
        if wanted.audio:
            self._add_audio(sample, request, start)
        if wanted.cuts:
            sample.cut = self._cut(request.shard, request.position, sample.key)

    def _start(self, request: Request) -> float:
        crop = self._wanted.crop
        assert crop is not None
        rates = (stream.frame_rate for stream in self._wanted.streams)
        rate = next(filter(None, rates), CROP_GRID)
        return crop.start(request.seconds, request.draw, rate)

    def _array(self, tar: Tar, position: int, sample: Sample) -> npt.NDArray[Any]:
        data = self._member(tar, position, sample)
        try:
            return read_array(data)
        except ValueError as error:
            raise _damaged(tar, position, sample.key, f"is damaged: {error}") from error

    def _add_audio(self, sample: Sample, request: Request, start: float) -> None:
        tar = self._tar(request.shard, AUDIO)
        data = self._member(tar, request.position, sample)
        crop, rate = self._wanted.crop, self._wanted.sample_rate
        try:
            samples, own = decode(data, start, crop.seconds if crop else None)
        except (ValueError, soundfile.LibsndfileError) as error:
            words = f"cannot be decoded: {error}"
            raise _damaged(tar, request.position, sample.key, words) from error
        sample.audio = resample(samples, own, rate or own)
        sample.sample_rate = rate or own

    def _member(self, tar: Tar, position: int, sample: Sample) -> memoryview:
        """Return the first member of a sample, whose key all tars agree on."""
        try:
            key, data = first_member(tar.sample(position))
        except (ValueError, IndexError) as error:
            raise _damaged(tar, position, sample.key, f"is damaged: {error}") from error
        except StoreError as error:
            words = f"cannot be read: {error}"
            raise _damaged(tar, position, sample.key, words, error.remedy) from error
        if sample.key and key != sample.key:
            raise _damaged(tar, position, sample.key, f"is {key!r} here, unlike in other tars")
        sample.key = key
        return data

    def _cut(self, shard: int, position: int, key: str) -> dict[str, Any]:
        ref = self._corpus.shards[shard]
        data, starts = self._cuts(shard)
        try:
            cut: dict[str, Any] = orjson.loads(data[starts[position] : starts[position + 1]])
            if key in ("", cut["id"]):
                return cut
            words = f"is of {cut['id']!r}"
        except (ValueError, IndexError, TypeError, KeyError) as error:
            words = f"is damaged: {error}"
        name = locate(ref, layout.cuts_name(ref.number))
        raise DatasetError(f"{name}: line {position + 1}, of {key!r}, {words}; {REMEDY}")


def _open_tar(corpus: Corpus, sources: Sequence[Source], shard: int, stream: str) -> Tar:
    ref = corpus.shards[shard]
    return sources[ref.dataset].tar(ref, layout.tar_name(stream, ref.number))


def _read_cuts(
    corpus: Corpus, sources: Sequence[Source], shard: int
) -> tuple[memoryview, list[int]]:
    ref = corpus.shards[shard]
    data = sources[ref.dataset].whole(ref, layout.cuts_name(ref.number))
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    return data, [0, *ends.tolist()]


def _damaged(tar: Tar, position: int, key: str, words: str, remedy: str = REMEDY) -> DatasetError:
    which = f"the sample {key!r}" if key else f"sample {position}"
    return DatasetError(f"{tar.name}: {which} {words}; {remedy}")
