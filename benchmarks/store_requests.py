"""Count the requests that a job on S3 makes, and time it beside the same job on a local disk.

    python benchmarks/store_requests.py
    python benchmarks/store_requests.py --clips 60 --faults 0.05

The store is moto's server in a process of its own. A job prepares the first clips of the example
speech with the tokenizer `mvq`; then the same command runs again, with nothing left to do. Printed
are the requests of each by what they are about, their verbs (LIST: a GET of a listing), and how
many that is a recording, a unit or a shard.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.store_server import StoreServer

SPEECH = Path(__file__).parent.parent / "examples/speech"
KINDS = (
    ("_work/recordings", "unit"), ("_work/segments", "unit"), ("_work/tokens", "unit"),
    ("_work/shards", "shard"), ("bucket-", "shard"), ("audio/", "recording"),
)  # fmt: skip
"""What a path holds, and what there is one of for it."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--unit-mb", type=float, default=0.3)
    parser.add_argument("--shard-mb", type=float, default=0.3)
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail")
    options = parser.parse_args()
    server = StoreServer()
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(server, Path(folder), options)
    finally:
        server.stop()


def measure(server: StoreServer, folder: Path, options: argparse.Namespace) -> None:
    """Run the job on the disk, on the store, and there again."""
    lines = (SPEECH / "manifest.jsonl").read_text().splitlines(keepends=True)[: options.clips]
    base = server.upload(SPEECH, "speech")
    for name, root in (("local", str(SPEECH)), ("store", base)):
        rows = [json.loads(line) for line in lines]
        for row in rows:
            row["audio_filepath"] = f"{root}/{row['audio_filepath']}"
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    local = run(server, folder / "local.jsonl", str(folder / "out"), options)
    server.storm(options.faults, seconds=20)
    out = f"{base.rpartition('/')[0]}/out"
    for name in ("first", "again"):
        before = len(server.log())
        seconds = run(server, folder / "store.jsonl", out, options)
        log = server.log()[before:]
        print(
            f"{name}: {seconds:.1f} s on the store ({local:.1f} s on the disk), {len(log)} requests"
        )
        show(log, server.files("out"), len(lines))


def run(server: StoreServer, manifest: Path, out: str, options: argparse.Namespace) -> float:
    """Run the job; return how many seconds it took."""
    command = [
        sys.executable, "-m", "wavemill", "prepare", str(manifest), "--out", out, "--quiet",
        "--tokenizer", "mvq", "--buckets", "3", "--workers", "1",
        "--unit-mb", str(options.unit_mb), "--shard-mb", str(options.shard_mb),
    ]  # fmt: skip
    began = time.monotonic()
    subprocess.run(command, env={**os.environ, **server.environment}, check=True)
    return time.monotonic() - began


def show(log: list[tuple[str, str]], files: dict[str, bytes], recordings: int) -> None:
    """Print a table of the requests."""
    counts = {
        "recording": recordings,
        "unit": sum(name.startswith("_work/recordings/") for name in files),
        "shard": sum(name.startswith("_work/shards-") for name in files),
    }
    print(", ".join(f"{count} {name}s" for name, count in counts.items()))
    found: dict[tuple[str, str], Counter[str]] = {}
    for verb, path in log:
        kind = next(((part, of) for part, of in KINDS if part in path), ("all else", "job"))
        found.setdefault(kind, Counter())[verb] += 1
    for (part, of), verbs in sorted(found.items()):
        each = {verb: round(count / counts.get(of, 1), 2) for verb, count in sorted(verbs.items())}
        words = ", ".join(f"{verb} {number:g}" for verb, number in each.items())
        print(f"  {part:<18} a {of:<10} {words}")


if __name__ == "__main__":
    main()
