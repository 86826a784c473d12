"""Measure how fast shards are written, beside webdataset's `ShardWriter`, on one core.

    python benchmarks/shard_writing.py --clips examples/speech/audio

`wavemill` is the step of a job that writes a shard, as it is: members are fetched from the spool in
shuffled order; tars, indexes, cuts, the NeMo manifest and their sha256 are written and flushed to
the disk. `webdataset` gets arrays and bytes that lie ready in memory and writes these alone: no
JSON beside them, no index, no digest, no flush; `with JSON`, it writes one that describes each, as
wavemill does. `floor` writes and flushes the bytes that wavemill wrote, in as many files, with
their sha256: nothing that makes the same files is faster.

Token samples are uint16 [T, 8] of mixed T, long ones and short ones; those with FLAC are real clips
with such tokens. Runs take turns; printed are the medians of samples a second, and of the ratios in
a round: to webdataset writing arrays alone, and the same content (`with JSON`).

wavemill counts ids as a process does that has counted many: by the compiled loop, where numba is
installed (`--few-ids`: as one that has not, by torch).

Files lie below TMPDIR: `TMPDIR=/dev/shm` takes the disk out of it.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import webdataset

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.sharding.drawn import (
    CODEC,
    Sample,
    clip_samples,
    make_spool,
    shuffled_tasks,
    sources_of,
    token_samples,
)
from wavemill.sharding.counting import LOADING_PAYS, IdCounter
from wavemill.sharding.layout import array_json, recording_json
from wavemill.sharding.writer import write_shard

SHARDS = 4


def seconds_of(work: Callable[[Path], object]) -> float:
    """Time work that writes into a new folder."""
    with tempfile.TemporaryDirectory(prefix="shards-") as folder:
        started = time.perf_counter()
        work(Path(folder))
        return time.perf_counter() - started


def by_webdataset(samples: Sequence[Sample], folder: Path, *, about: bool = False) -> None:
    """Write samples with webdataset's writer."""
    per_shard = -(-len(samples) // SHARDS)
    pattern = str(folder / "%06d.tar")
    with webdataset.ShardWriter(pattern, maxcount=per_shard, verbose=0) as writer:
        for sample in samples:
            audio: dict[str, Any] = {"flac": sample.flac} if sample.flac else {}
            codes = sample.codes[0]
            if about:
                row = {**vars(sample), "id": sample.key}
                audio |= {"npy.json": array_json(row, CODEC, len(codes))}
                audio |= {"flac.json": recording_json(row)} if sample.flac else {}
            writer.write({"__key__": sample.key, **audio, "npy": codes})


def floor(parts: Sequence[bytes], folder: Path) -> None:
    """Write files, flushed, and digest them."""
    for number, data in enumerate(parts):
        with (folder / str(number)).open("wb") as file:
            file.write(data)
            hashlib.sha256(data).hexdigest()
            file.flush()
            os.fsync(file.fileno())


def compare(title: str, samples: Sequence[Sample], rounds: int) -> None:
    """Time the three, in turns, and print."""
    audio = "flac" if samples[0].flac else "none"
    with tempfile.TemporaryDirectory(prefix="spool-") as spool:
        units = make_spool(samples, spool)
        tasks = list(shuffled_tasks(units, len(samples), SHARDS))

        def by_wavemill(folder: Path) -> list[bytes]:
            for task in tasks:
                write_shard(task, sources_of(spool, audio), str(folder))
            return []

        with tempfile.TemporaryDirectory(prefix="shards-") as folder:
            by_wavemill(Path(folder))
            parts = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
        ways: dict[str, Callable[[Path], object]] = {
            "webdataset": lambda to: by_webdataset(samples, to),
            "with JSON": lambda to: by_webdataset(samples, to, about=True),
            "wavemill": by_wavemill,
            "floor": lambda to: floor(parts, to),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                taken[name].append(seconds_of(way))
    size = sum(map(len, parts)) / 1e6
    print(f"{title}: {len(samples)} samples, {size:.0f} MB in {len(parts)} files")
    for name, times in taken.items():
        ratios = [one / other for one, other in zip(taken["webdataset"], times, strict=True)]
        rate = len(samples) / median(times)
        more = [one / other for one, other in zip(taken["with JSON"], times, strict=True)]
        print(
            f"  {name:<10} {rate:8.0f} samples/s   {median(ratios):5.2f} x arrays alone"
            f"   {median(more):5.2f} x the same content"
        )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Shard writing beside webdataset's ShardWriter.")
    parser.add_argument("--clips", type=Path, required=True, help="a folder with FLAC files")
    parser.add_argument("--token-samples", type=int, default=8000)
    parser.add_argument("--clip-samples", type=int, default=2000)
    parser.add_argument("--mean-seconds", type=float, nargs="+", default=[12.0, 2.5])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--few-ids", action="store_true")
    options = parser.parse_args()
    IdCounter.counted = 0 if options.few_ids else LOADING_PAYS
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for seconds in options.mean_seconds:
        tokens = token_samples(options.token_samples, seconds)
        compare(f"tokens of about {seconds:g} s", tokens, options.rounds)
    compare("FLAC + tokens", clip_samples(options.clips, options.clip_samples), options.rounds)


if __name__ == "__main__":
    main()
