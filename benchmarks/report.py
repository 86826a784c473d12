"""How long `wavemill report` takes, and how large its page is.

    python benchmarks/report.py dataset OUT [--rounds 3]
    python benchmarks/report.py synthetic [--samples 1_000_000]

`dataset` runs the command on a prepared dataset as a user does, in a process of its own.
`synthetic` first writes a dataset of drawn tokens, whose lengths are spread as those of speech are,
and then links its shards under further numbers, until there are as many samples.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.sharding.drawn import Sample, make_dataset, stream

TOKENS = stream("drawn", 25.0, 1, 1024)
SHARD_MB = 16
DRAWN = 50_000
"""Samples that are really written."""


def run(out: Path, html: Path) -> dict[str, float]:
    """Run the command once; its time includes Python's start."""
    command = [sys.executable, "-m", "wavemill", "report", str(out), "--html", str(html)]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "--quiet", "--json"], capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - started
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {**json.loads(done.stdout.splitlines()[-1]), "whole": seconds, "memory": megabytes}


def dataset(out: Path, rounds: int) -> None:
    """Print medians of several runs."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(out, Path(folder) / "page.html") for _ in range(rounds)]
    seconds = sorted(one["whole"] for one in runs)
    print(
        f"{runs[0]['samples']:,} samples, {runs[0]['shown']:.0f} shown:"
        f" {statistics.median(seconds):.1f} s ({seconds[0]:.1f} to {seconds[-1]:.1f}),"
        f" {runs[0]['bytes'] / 1e6:.2f} MB, {runs[0]['memory']:.0f} MB of memory"
    )


def draw(count: int) -> list[Sample]:
    """Draw clips of a lognormal's lengths, 0.1 to 40 s, with tokens that a normal picks."""
    dice = np.random.default_rng(0)
    lengths = np.clip(dice.lognormal(1.5, 0.8, count), 0.1, 40)
    ids = np.clip(dice.normal(512, 150, 1 << 20), 0, 1023).astype(np.uint16)
    starts = dice.integers(0, len(ids) - 1000, count)
    return [
        Sample(key=f"s{number:06d}", num_samples=int(seconds * 16_000), sample_rate=16_000,
               num_channels=1, flac=b"",
               codes=(ids[start : start + max(int(seconds * 25), 1), None],))
        for number, (seconds, start) in enumerate(zip(lengths, starts.tolist(), strict=True))
    ]  # fmt: skip


def multiply(out: Path, times: int) -> None:
    """Link a dataset's shards under further numbers, and say so in its `dataset.json`."""
    content = json.loads((out / "dataset.json").read_bytes())
    shards = content["shards"]
    step = 1 + max(shard["number"] for shard in shards)
    for turn in range(1, times):
        for shard in shards:
            number = shard["number"] + turn * step
            files = [
                {**file, "path": file["path"].replace(f"{shard['number']:06d}", f"{number:06d}")}
                for file in shard["files"]
            ]
            for old, new in zip(shard["files"], files, strict=True):
                (out / new["path"]).hardlink_to(out / old["path"])
            content["shards"] = [*content["shards"], {**shard, "number": number, "files": files}]
    content["shards"].sort(key=lambda shard: (shard["bucket"], shard["number"]))
    for bucket in content["buckets"]:
        for name in ("samples", "shards", "hours"):
            bucket[name] *= times
    for name in content["totals"]:
        content["totals"][name] *= times
    (out / "dataset.json").write_text(json.dumps(content), "utf-8")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("dataset", "synthetic"))
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.what == "dataset":
        if options.out is None:
            parser.error("dataset needs OUT")
        dataset(options.out, options.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        drawn = min(options.samples, DRAWN)
        out = make_dataset(draw(drawn), Path(folder), "none", SHARD_MB, (TOKENS,))
        multiply(out, options.samples // drawn)
        dataset(out, options.rounds)


if __name__ == "__main__":
    main()
