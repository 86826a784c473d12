"""Measure how long `wavemill plan` takes, from process start, and how much memory.

    python benchmarks/batch_scale.py 60_000 10_000_000             # JSON lines
    python benchmarks/batch_scale.py 100_000_000 --parquet         # needs 4 GB of disk

Rows are like LibriSpeech's (see `batch_padding.py`); batches hold 360 padded seconds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK = 1_000_000


def rows(count: int) -> Iterator[tuple[list[str], list[float], list[int]]]:
    """Yield ids, durations and tokens of so many rows, a block at a time."""
    dice = np.random.default_rng(0)
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        seconds = np.round(np.clip(dice.lognormal(2.35, 0.62, size), 1.0, 35.0), 3)
        tokens = np.round(seconds * np.clip(dice.normal(3.6, 0.94, size), 0.4, None))
        ids = [f"utt-{number:09d}" for number in range(first, first + size)]
        yield ids, seconds.tolist(), np.maximum(tokens, 1).astype(np.int64).tolist()


def write(count: int, place: Path) -> None:
    """Write a table of so many rows."""
    if place.suffix == ".parquet":
        schema = pa.schema([("id", pa.string()), ("duration", pa.float64()),
                            ("tokens", pa.int64())])  # fmt: skip
        with pq.ParquetWriter(place, schema) as writer:
            for columns in rows(count):
                writer.write_table(pa.table(list(map(pa.array, columns)), schema=schema))
        return
    with place.open("w", encoding="utf-8") as file:
        for columns in rows(count):
            file.writelines(
                f'{{"id": "{name}", "duration": {duration}, "tokens": {tokens}}}\n'
                for name, duration, tokens in zip(*columns, strict=True)
            )


def measure(table: Path, arguments: list[str]) -> tuple[float, float, str]:
    """Run the command; return seconds, peak memory in MB, and what it printed."""
    script = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run(sys.argv[1:]).returncode\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-m", "wavemill", "plan", str(table), "--batch-seconds", "360",
               "--json", *arguments]  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, *command], check=True, stdout=subprocess.PIPE, text=True
    )
    *printed, peak = done.stdout.splitlines()
    return time.perf_counter() - started, int(peak) / 1024, printed[-1]


def main() -> None:
    """Measure every size that was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", type=int, nargs="+")
    parser.add_argument("--parquet", action="store_true", help="not JSON lines")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-batches", action="store_true", help="do not write them")
    options = parser.parse_args()
    suffix = "parquet" if options.parquet else "jsonl"
    print(f"{'rows':>12} {'seconds':>8} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.rows:
            table = Path(folder) / f"lengths.{suffix}"
            write(count, table)
            out = [] if options.no_batches else ["--batches", str(Path(folder) / "batches.jsonl")]
            for _ in range(options.rounds):
                seconds, peak, printed = measure(table, out)
                print(f"{count:>12,} {seconds:>8.2f} {peak:>8.0f} {printed}", flush=True)


if __name__ == "__main__":
    main()
