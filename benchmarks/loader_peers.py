"""How each peer of `loader.py` writes and reads the same samples, by its own documentation."""

import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from tests.sharding.drawn import CODEC, Sample

HEADERS = 640
"""Bytes before the values of an array in a tar of ours."""
SHARD_BYTES = 64 << 20

Arrays = Iterable[npt.NDArray[Any]]
Samples = Callable[[], Arrays]
"""Reads an epoch of token arrays, and decodes what audio there is."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What a peer has to write and read."""

    samples: Sequence[Sample]
    folder: Path
    """Where a peer may write."""
    out: Path
    """The dataset that wavemill wrote of the samples."""


def webdataset_tars(corpus: Corpus) -> Samples:
    """webdataset: its own tars, its shuffle, its decoding, its `WebLoader`."""
    import webdataset

    with webdataset.ShardWriter(
        str(corpus.folder / "%06d.tar"), maxsize=SHARD_BYTES, verbose=0
    ) as writer:
        for sample in corpus.samples:
            audio: dict[str, Any] = {"flac": sample.flac} if sample.flac else {}
            writer.write({"__key__": sample.key, "npy": sample.codes[0], **audio})
    return _webdataset(sorted(map(str, corpus.folder.glob("*.tar"))))


def webdataset_ours(corpus: Corpus) -> Samples:
    """Webdataset on the tars that wavemill wrote, of tokens; they have no PAX headers."""
    return _webdataset(sorted(map(str, corpus.out.glob(f"bucket-*/{CODEC.name}_*.tar"))))


def _webdataset(urls: list[str]) -> Samples:
    import webdataset

    def read() -> Arrays:
        data = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False)
        decoded = data.shuffle(1000).decode(webdataset.handle_extension("flac", _decode))
        for sample in webdataset.WebLoader(decoded, batch_size=None, num_workers=0):
            yield sample["npy"]

    return read


def _decode(data: bytes) -> Any:
    return soundfile.read(io.BytesIO(data), dtype="float32")[0]


def lhotse_shar(corpus: Corpus) -> Samples:
    """lhotse: the dataset that wavemill wrote, through its Shar reader."""
    from lhotse import CutSet

    buckets = sorted(corpus.out.glob("bucket-*"))
    has_audio = bool(corpus.samples[0].flac)

    def read() -> Arrays:
        for bucket in buckets:
            fields = {"cuts": sorted(map(str, bucket.glob("cuts.*.jsonl")))}
            for field, stream in {CODEC.name: CODEC.name, "recording": "audio"}.items():
                if stream != "audio" or has_audio:
                    fields[field] = sorted(map(str, bucket.glob(f"{stream}_*.tar")))
            for cut in CutSet.from_shar(fields=fields):
                if has_audio:
                    cut.load_audio()
                yield getattr(cut, f"load_{CODEC.name}")()

    return read


def mosaic_streaming(corpus: Corpus) -> Samples:
    """Mosaic streaming: MDS shards."""
    from streaming import MDSWriter, StreamingDataset

    columns = {"key": "str", "npy": "ndarray:uint16"}
    columns |= {"flac": "bytes"} if corpus.samples[0].flac else {}
    place = str(corpus.folder / "mds")
    with MDSWriter(out=place, columns=columns, size_limit=SHARD_BYTES) as writer:
        for sample in corpus.samples:
            row = {"key": sample.key, "npy": sample.codes[0], "flac": sample.flac}
            writer.write({name: row[name] for name in columns})

    def read() -> Arrays:
        return _arrays(StreamingDataset(local=place, shuffle=True, batch_size=1))

    return read


def litdata(corpus: Corpus) -> Samples:
    """litdata: its chunks, through its `StreamingDataset`."""
    from litdata.streaming import StreamingDataset
    from litdata.streaming.writer import BinaryWriter

    (corpus.folder / "lit").mkdir()
    writer = BinaryWriter(str(corpus.folder / "lit"), chunk_bytes=SHARD_BYTES)
    for number, sample in enumerate(corpus.samples):
        writer[number] = {"npy": sample.codes[0]} | ({"flac": sample.flac} if sample.flac else {})
    writer.done()
    writer.merge()

    def read() -> Arrays:
        return _arrays(StreamingDataset(str(corpus.folder / "lit"), shuffle=True))

    return read


def _arrays(data: Iterable[Any]) -> Arrays:
    for sample in data:
        if "flac" in sample:
            _decode(sample["flac"])
        yield sample["npy"]


def mapped(corpus: Corpus) -> Samples:
    """Read the same bytes out of mapped files: each array is copied, nothing is parsed."""
    indexes = sorted(corpus.out.glob(f"bucket-*/{CODEC.name}_*.tar.idx"))
    offsets = [np.fromfile(path, "<u8").astype(np.int64) for path in indexes]
    lengths = {sample.key: len(sample.codes[0]) for sample in corpus.samples}
    pairs = [
        (shard, start + HEADERS, lengths[_key(path, start)])
        for shard, (path, own) in enumerate(zip(indexes, offsets, strict=True))
        for start in own[:-1].tolist()
    ]
    dice = np.random.default_rng(0)

    def read() -> Arrays:
        maps = [np.memmap(path.with_suffix(""), np.uint8, "r") for path in indexes]
        for place in dice.permutation(len(pairs)).tolist():
            shard, start, length = pairs[place]
            end = start + length * CODEC.num_codebooks * CODEC.dtype.itemsize
            yield maps[shard][start:end].copy()

    return read


def _key(index: Path, start: int) -> str:
    with index.with_suffix("").open("rb") as file:
        file.seek(start)
        return file.read(100).split(b".")[0].decode()


PEERS: dict[str, Callable[[Corpus], Samples]] = {
    "webdataset": webdataset_tars,
    "webdataset, our tars": webdataset_ours,
    "lhotse Shar": lhotse_shar,
    "mosaic streaming": mosaic_streaming,
    "litdata": litdata,
}


def padded(arrays: Arrays, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Make batches of arrays as they come, [B, T, Q] int64 and lengths [B]."""
    left = iter(arrays)
    while part := list(itertools.islice(left, size)):
        lengths = [len(array) for array in part]
        batch = np.zeros((len(part), max(lengths), *part[0].shape[1:]), np.int64)
        for row, array in zip(batch, part, strict=True):
            row[: len(array)] = array
        yield torch.from_numpy(batch), torch.tensor(lengths)


def decode_alone(samples: Sequence[Sample], threads: int) -> int:
    """Libsndfile alone: FLAC bytes that lie in files in memory, decoded in so many threads."""

    def decode(part: Sequence[Sample]) -> None:
        file = os.memfd_create("flac")
        for sample in part:
            os.ftruncate(file, 0)
            os.pwrite(file, sample.flac, 0)
            os.lseek(file, 0, os.SEEK_SET)
            audio, _ = soundfile.read(os.dup(file), dtype="float32")
            assert len(audio) == sample.num_samples
        os.close(file)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode, [samples[n::threads] for n in range(threads)]))
    return len(samples)
