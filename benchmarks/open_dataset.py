"""Measure how long `Dataset.open` takes, and what it holds, where there are many shards.

    python benchmarks/open_dataset.py 10_000 100_000

The shards of a small dataset of two streams, made here of `examples/speech`, are named again and
again in a `dataset.json`; no other file is read. Each is opened in a process of its own.
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

from pipeline_job import prepare

SPEECH = Path(__file__).parent.parent / "examples/speech/manifest.jsonl"


def main() -> None:
    """Read the command line, and measure; or open what is named, in a process of its own."""
    parser = argparse.ArgumentParser(description="Open a dataset of many shards.")
    parser.add_argument("shards", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        print(json.dumps(_open(options.open)))
        return
    print(f"{'shards':>9} {'MB of JSON':>11} {'seconds':>8} {'MB kept':>8} {'MB at most':>11}")
    with tempfile.TemporaryDirectory() as folder:
        prepare(SPEECH, Path(folder) / "small", ["beats", "mvq"], workers=1)
        content = json.loads((Path(folder) / "small/dataset.json").read_text("utf-8"))
        for count in options.shards:
            place = Path(folder) / str(count)
            size = _write(place, content, count)
            rounds = [_apart(place) for _ in range(options.rounds)]
            seconds, kept, most = (
                statistics.median(column) for column in zip(*rounds, strict=True)
            )
            print(f"{count:>9,} {size / 1e6:>11.1f} {seconds:>8.2f} {kept:>8.0f} {most:>11.0f}")


def _write(place: Path, content: dict[str, object], count: int) -> int:
    rows = content["shards"]
    assert isinstance(rows, list)
    place.mkdir()
    shards = [{**rows[number % len(rows)], "number": number} for number in range(count)]
    text = json.dumps({**content, "shards": shards}, ensure_ascii=False, indent=1)
    return (place / "dataset.json").write_text(text, "utf-8")


def _apart(place: Path) -> list[float]:
    command = [sys.executable, __file__, "--open", place]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return [float(number) for number in json.loads(done.stdout)]


def _open(place: Path) -> tuple[float, float, float]:
    """Return seconds, and what is kept and was held at most beyond what was held before, in MB."""
    from wavemill.sharding.dataset import Dataset

    before = _resident()
    started = time.perf_counter()
    dataset = Dataset.open(str(place))
    seconds = time.perf_counter() - started
    assert len(dataset.content["shards"])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds, _resident() - before, most - before


def _resident() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
