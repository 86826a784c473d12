"""How each peer of `loader.py` writes and reads the same samples, by its own documentation.

Peers give single samples, as they come off the disk; only wavemill has to pad batches of them.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from tests.sharding.drawn import CODEC, Sample

SHARD_BYTES = 64 << 20

Read = Callable[[], int]
"""Reads all samples and returns how many there were."""


def webdataset_tars(samples: Sequence[Sample], folder: Path, out: Path) -> Read:
    """webdataset: its own tars, its shuffle, its `WebLoader`."""
    import webdataset

    with webdataset.ShardWriter(str(folder / "%06d.tar"), maxsize=SHARD_BYTES, verbose=0) as writer:
        for sample in samples:
            audio: dict[str, Any] = {"flac": sample.flac} if sample.flac else {}
            writer.write({"__key__": sample.key, "npy": sample.codes[0], **audio})
    return _webdataset(sorted(map(str, folder.glob("*.tar"))))


def webdataset_ours(samples: Sequence[Sample], folder: Path, out: Path) -> Read:
    """webdataset on the tars that wavemill wrote, of tokens; they have no PAX headers."""
    return _webdataset(sorted(map(str, out.glob(f"bucket-*/{CODEC.name}_*.tar"))))


def _webdataset(urls: list[str]) -> Read:
    import webdataset

    def read() -> int:
        data = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False)
        decoded = data.shuffle(1000).map(_decoded)
        return _count(webdataset.WebLoader(decoded, batch_size=None, num_workers=0))

    return read


def _decoded(sample: dict[str, Any]) -> dict[str, Any]:
    taken = {"npy": np.load(io.BytesIO(sample["npy"]), allow_pickle=False)}
    if "flac" in sample:
        taken["flac"] = soundfile.read(io.BytesIO(sample["flac"]), dtype="float32")[0]
    return taken


def lhotse_shar(samples: Sequence[Sample], folder: Path, out: Path) -> Read:
    """lhotse: the dataset that wavemill wrote, through its Shar reader."""
    from lhotse import CutSet

    buckets = sorted(out.glob("bucket-*"))
    has_audio = bool(samples[0].flac)

    def read() -> int:
        count = 0
        for bucket in buckets:
            fields = {"cuts": sorted(map(str, bucket.glob("cuts.*.jsonl")))}
            for field, stream in {CODEC.name: CODEC.name, "recording": "audio"}.items():
                if stream != "audio" or has_audio:
                    fields[field] = sorted(map(str, bucket.glob(f"{stream}_*.tar")))
            for cut in CutSet.from_shar(fields=fields):
                getattr(cut, f"load_{CODEC.name}")()
                if has_audio:
                    cut.load_audio()
                count += 1
        return count

    return read


def mosaic_streaming(samples: Sequence[Sample], folder: Path, out: Path) -> Read:
    """mosaic streaming: MDS shards."""
    from streaming import MDSWriter, StreamingDataset

    columns = {"key": "str", "npy": "ndarray:uint16"} | ({"flac": "bytes"} if samples[0].flac else {})
    with MDSWriter(out=str(folder / "mds"), columns=columns, size_limit=SHARD_BYTES) as writer:
        for sample in samples:
            row = {"key": sample.key, "npy": sample.codes[0], "flac": sample.flac}
            writer.write({name: row[name] for name in columns})

    def read() -> int:
        data = StreamingDataset(local=str(folder / "mds"), shuffle=True, batch_size=1)
        return _count(_with_audio(data))

    return read


def litdata(samples: Sequence[Sample], folder: Path, out: Path) -> Read:
    """litdata: its chunks, through its `StreamingDataset`."""
    from litdata.streaming import StreamingDataset
    from litdata.streaming.writer import BinaryWriter

    writer = BinaryWriter(str(folder / "lit"), chunk_bytes=SHARD_BYTES)
    (folder / "lit").mkdir(exist_ok=True)
    for number, sample in enumerate(samples):
        row = {"npy": sample.codes[0]} | ({"flac": sample.flac} if sample.flac else {})
        writer[number] = row
    writer.done()
    writer.merge()

    def read() -> int:
        return _count(_with_audio(StreamingDataset(str(folder / "lit"), shuffle=True)))

    return read


def _with_audio(data: Any) -> Iterator[Any]:
    for sample in data:
        if "flac" in sample:
            soundfile.read(io.BytesIO(sample["flac"]), dtype="float32")
        yield sample


def _count(data: Any) -> int:
    return sum(1 for _ in data)


def floor(samples: Sequence[Sample], folder: Path, out: Path) -> Read:
    """Memory-mapped reads of the same token bytes: each array copied, nothing parsed or padded."""
    indexes = sorted(out.glob(f"bucket-*/{CODEC.name}_*.tar.idx"))
    offsets = [np.fromfile(path, "<u8").astype(np.int64) for path in indexes]
    dice = np.random.default_rng(0)

    def read() -> int:
        maps = [np.memmap(path.with_suffix(""), np.uint8, "r") for path in indexes]
        pairs = [(shard, n) for shard, own in enumerate(offsets) for n in range(len(own) - 1)]
        for place in dice.permutation(len(pairs)).tolist():
            shard, number = pairs[place]
            start, end = offsets[shard][number : number + 2].tolist()
            _ = maps[shard][start:end].tobytes()
        return len(pairs)

    return read


TOKEN_PEERS: dict[str, Callable[[Sequence[Sample], Path, Path], Read]] = {
    "webdataset": webdataset_tars,
    "webdataset, our tars": webdataset_ours,
    "lhotse Shar": lhotse_shar,
    "mosaic streaming": mosaic_streaming,
    "litdata": litdata,
    "floor: mapped copies": floor,
}


def decode_alone(samples: Sequence[Sample], threads: int) -> Read:
    """libsndfile alone: FLAC bytes that lie in files in memory, decoded in so many threads."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    def decode(part: Sequence[Sample]) -> None:
        file = os.memfd_create("flac")
        for sample in part:
            os.ftruncate(file, 0)
            os.pwrite(file, sample.flac, 0)
            os.lseek(file, 0, os.SEEK_SET)
            found: tuple[npt.NDArray[np.float32], int] = soundfile.read(os.dup(file), dtype="float32")
            assert len(found[0]) == sample.num_samples

    def read() -> int:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(decode, [samples[n::threads] for n in range(threads)]))
        return len(samples)

    return read
