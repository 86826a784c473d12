"""Measure how fast the loader gives samples, beside webdataset, lhotse, mosaic, litdata.

    python benchmarks/loader.py tokens
    python benchmarks/loader.py audio --clips examples/speech/audio
    python benchmarks/loader.py resume --samples 1000000

`tokens`: uint16 [T, 8] of mixed T in one process, samples a second. First padded int64 batches:
wavemill's, of like lengths, and 32 of a peer's samples as they come, padded in numpy. Then samples
alone. `floor` copies the same bytes out of mapped files, in random order. `audio`: FLAC + tokens,
beside libsndfile alone decoding the same bytes in as many threads. `resume`: seconds from a fresh
loader and a state to the next batch, after 80 % of an epoch.

All run in turns, from the page cache; printed are medians of samples a second, and of the ratios
within a round. Peers that are not installed are named and left out: `pip install webdataset lhotse
litdata mosaicml-streaming`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from loader_peers import PEERS, Corpus, Samples, decode_alone, mapped, padded
from speed import by_turns, ratio

from tests.sharding.drawn import Sample, clip_samples, make_dataset, token_samples
from wavemill.loader import ShardLoader

SHARD_MB = 64

Way = Callable[[], int]


def load(out: Path, **options: Any) -> Way:
    """Read an epoch with wavemill."""

    def read() -> int:
        return sum(len(batch) for batch in ShardLoader(out, batch_seconds=360, **options))

    return read


def counted(samples: Samples) -> Way:
    """Count what a peer gives."""
    return lambda: sum(1 for _ in samples())


def batched(samples: Samples) -> Way:
    """Count what a peer gives, in padded batches."""
    return lambda: sum(len(lengths) for _, lengths in padded(samples(), 32))


def write_peers(samples: list[Sample], folder: Path, out: Path) -> dict[str, Samples]:
    """Write the samples for each peer that is installed."""
    found = {}
    for name, peer in PEERS.items():
        place = folder / name.replace(" ", "-")
        place.mkdir()
        try:
            found[name] = peer(Corpus(samples=samples, folder=place, out=out))
        except ImportError as error:
            print(f"left out: {name} ({error})")
    return found


def show(ways: Mapping[str, Way], count: int, rounds: int) -> None:
    """Time all in turns and print."""
    for name, read in ways.items():
        found = read()
        assert found == count, f"{name} read {found} of {count} samples"
    taken = by_turns(ways, rounds)
    ours = next(iter(ways))
    for name, times in taken.items():
        print(f"  {name:<26} {count / median(times):10,.0f} samples/s"
              f"   {ours} is {ratio(times, taken[ours]):6.2f} x as fast")  # fmt: skip


def tokens(options: argparse.Namespace) -> None:
    """Compare on token samples."""
    samples = token_samples(options.samples, options.mean_seconds)
    count, rounds = len(samples), options.rounds
    with tempfile.TemporaryDirectory(prefix="loader-") as place:
        folder = Path(place)
        out = make_dataset(samples, folder, "none", SHARD_MB)
        peers = write_peers(samples, folder, out)
        floor = {
            "floor: mapped copies": counted(mapped(Corpus(samples=samples, folder=folder, out=out)))
        }
        size = sum(sample.codes[0].nbytes for sample in samples) / count / 1000
        print(f"{count:,} token samples of {size:.1f} KB in the mean, in one process")
        print("padded batches:")
        others = {name: batched(peer) for name, peer in peers.items()}
        show({"wavemill": load(out), **others, **floor}, count, rounds)
        print("samples alone:")
        others = {name: counted(peer) for name, peer in peers.items()}
        show({"wavemill": load(out, collate=list), **others, **floor}, count, rounds)


def audio(options: argparse.Namespace) -> None:
    """Compare on FLAC + tokens."""
    samples = clip_samples(options.clips, options.samples)
    with tempfile.TemporaryDirectory(prefix="loader-") as place:
        folder = Path(place)
        out = make_dataset(samples, folder, "flac", SHARD_MB)
        seconds = sum(sample.num_samples / sample.sample_rate for sample in samples)
        print(f"{len(samples):,} samples of FLAC + tokens, {seconds / len(samples):.1f} s in the"
              f" mean; wavemill and libsndfile in {options.threads} threads")  # fmt: skip
        peers = write_peers(samples, folder, out)
        peers.pop("webdataset, our tars", None)
        ways: dict[str, Way] = {
            "wavemill": load(out, audio=True, threads=options.threads),
            "libsndfile alone": lambda: decode_alone(samples, options.threads),
        }
        others = {name: counted(peer) for name, peer in peers.items()}
        show({**ways, **others}, len(samples), options.rounds)


def resume(options: argparse.Namespace) -> None:
    """Measure how long resuming takes."""
    samples = token_samples(options.samples, options.mean_seconds)
    with tempfile.TemporaryDirectory(prefix="loader-") as place:
        out = make_dataset(samples, Path(place), "none", SHARD_MB)
        del samples
        loader = ShardLoader(out, batch_seconds=360)
        seen, state = 0, ""
        for batch in loader:
            seen += len(batch)
            if seen >= 0.8 * options.samples:
                state = json.dumps(batch.state)
                break
        found: dict[str, list[float]] = {}
        ranks: dict[str, dict[str, int]] = {
            "one rank": {}, "eight ranks": {"rank": 3, "world_size": 8},
        }  # fmt: skip
        for _ in range(options.rounds):
            for name, more in ranks.items():
                started = time.perf_counter()
                fresh = ShardLoader(out, batch_seconds=360, **more)  # type: ignore[arg-type]
                fresh.load_state_dict(json.loads(state))
                next(iter(fresh))
                found.setdefault(name, []).append(time.perf_counter() - started)
        print(f"resumed after {seen:,} of {options.samples:,} samples:")
        for name, times in found.items():
            print(f"  {name}: the next batch after {median(times):.2f} s")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="The loader's speed, beside its peers'.")
    commands = parser.add_subparsers(required=True)
    for name, (run, count, mean_seconds) in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("--samples", type=int, default=count)
        command.add_argument("--rounds", type=int, default=5)
        if name == "audio":
            command.add_argument("--clips", type=Path, required=True, help="a folder of FLAC files")
            command.add_argument("--threads", type=int, default=2)
        else:
            command.add_argument("--mean-seconds", type=float, default=mean_seconds)
    torch.set_num_threads(1)
    options = parser.parse_args()
    options.run(options)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], int, float]] = {
    "tokens": (tokens, 20_000, 12.0),
    "audio": (audio, 4000, 0.0),
    "resume": (resume, 1_000_000, 0.5),
}


if __name__ == "__main__":
    main()
