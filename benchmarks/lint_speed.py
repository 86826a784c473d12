"""Measure how fast `lint` reads a dataset, beside `sha256sum` over the same files, on one core.

    python benchmarks/lint_speed.py --clips examples/speech/audio

Datasets are made anew: FLAC and tokens of real clips, and tokens alone, of about 10 and 2 KB a
sample. `sha256sum` is the one of the system (`ldd` says whether it uses OpenSSL's code, which uses
a processor's own instructions and is three times as fast); `openssl` is `openssl dgst -sha256`,
and `hashlib` what Python has. Runs take turns on files that lie in memory; printed are the medians.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.sharding.drawn import Sample, clip_samples, make_dataset, token_samples
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint import lint


def seconds_of(work: Callable[[], object]) -> float:
    """Time some work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def by_hashlib(paths: Sequence[str]) -> None:
    """Digest files."""
    for path in paths:
        with Path(path).open("rb") as file:
            hashlib.file_digest(file, "sha256")


def run(*command: str) -> None:
    """Run a program and forget what it prints."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def compare(title: str, samples: Sequence[Sample], rounds: int) -> None:
    """Make a dataset, time all ways through it, in turns, and print."""
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        audio = "flac" if samples[0].flac else "none"
        out = make_dataset(samples, Path(folder), audio, shard_mb=64)
        paths = [str(path) for path in sorted(out.rglob("*")) if path.is_file()]
        dataset = Dataset.open(str(out))
        assert not lint(dataset).problems
        ways: dict[str, Callable[[], object]] = {
            "sha256sum": lambda: run("sha256sum", *paths),
            "hashlib": lambda: by_hashlib(paths),
            "lint": lambda: lint(dataset),
        }
        if shutil.which("openssl"):
            ways["openssl"] = lambda: run("openssl", "dgst", "-sha256", *paths)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                taken[name].append(seconds_of(way))
        size = sum(Path(path).stat().st_size for path in paths) / 1e6
        per_sample = size * 1e6 / len(samples)
    print(f"{title}: {len(samples)} samples of {per_sample:.0f} bytes, {size:.0f} MB")
    for name, times in taken.items():
        ratios = [one / other for one, other in zip(times, taken["sha256sum"], strict=True)]
        speed = f"{size / median(times):7.0f} MB/s"
        print(f"  {name:<10} {speed}   {median(ratios):5.2f} x the time of sha256sum")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="lint beside sha256sum.")
    parser.add_argument("--clips", type=Path, required=True, help="a folder with FLAC files")
    parser.add_argument("--megabytes", type=int, default=200, help="about how much a dataset holds")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    size = options.megabytes * 10**6
    clips = clip_samples(options.clips, 200)
    mean = sum(len(clip.flac) + clip.codes[0].nbytes + 3500 for clip in clips) / len(clips)
    compare("FLAC + tokens", clip_samples(options.clips, int(size / mean)), options.rounds)
    compare("tokens", token_samples(size // 12_000, 12.0), options.rounds)
    compare("few tokens", token_samples(size // 4_000, 2.5), options.rounds)


if __name__ == "__main__":
    main()
