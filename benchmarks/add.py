"""Measure what joining costs against preparing all of it anew.

    python benchmarks/corpora.py asterisk-en --out /tmp/asterisk-en
    python benchmarks/add.py /tmp/asterisk-en

A corpus is split in two: a small part that comes later, and the rest. In turns, each command in a
process of its own: both are prepared at once; the small part is added to a dataset of the rest,
with its spool and after `--clean`; datasets of both parts are merged. The three results are
compared by their digests. Prints medians of seconds, and their ratios to preparing all.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = ("prepare", "add", "add after --clean", "merge")


def write_parts(corpus: Path, share: float, folder: Path) -> list[Path]:
    """Write manifests of the rest and of the part that comes later, every so many-th row."""
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").open(encoding="utf-8")]
    step = max(round(1 / share), 2)
    parts: list[list[str]] = [[], []]
    for number, row in enumerate(rows):
        path = str(corpus.absolute() / row["audio_filepath"])
        line = json.dumps({**row, "audio_filepath": path, "id": row["audio_filepath"]})
        parts[number % step == 0].append(line)
    places = [folder / "rest.jsonl", folder / "later.jsonl"]
    for place, lines in zip(places, parts, strict=True):
        place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return places


def run(*arguments: object) -> float:
    """Run a command of wavemill; return seconds."""
    command = [sys.executable, "-m", "wavemill", *map(str, arguments), "--quiet"]
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def digest_of(out: Path) -> str:
    """Return a dataset's digest."""
    return str(json.loads((out / "dataset.json").read_text("utf-8"))["digest"])


def measure(folder: Path, parts: list[Path], settings: list[str]) -> dict[str, float]:
    """Go each way once; return seconds."""
    out = {way: folder / f"out-{number}" for number, way in enumerate(WAYS)}
    for place in out.values():
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "rest", out["add"])
    shutil.copytree(
        folder / "rest", out["add after --clean"], ignore=shutil.ignore_patterns("_work")
    )
    seconds = {
        "prepare": run("prepare", *parts, "--out", out["prepare"], *settings),
        "add": run("add", parts[1], "--out", out["add"]),
        "add after --clean": run("add", parts[1], "--out", out["add after --clean"]),
        "merge": run("merge", folder / "rest", folder / "later", "--out", out["merge"]),
    }
    digests = {digest_of(place) for place in out.values()}
    if len(digests) > 1:
        raise SystemExit(f"the datasets differ: {digests}")
    return seconds


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="`add` and `merge` against preparing all anew.")
    parser.add_argument("corpus", type=Path, help="a folder that corpora.py made")
    parser.add_argument("--share", type=float, default=0.05, help="of what comes later")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokenizer", nargs="*", default=["beats", "mvq"], metavar="NAME")
    options = parser.parse_args()
    settings = [word for name in options.tokenizer for word in ("--tokenizer", name)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = write_parts(options.corpus, options.share, folder)
        for part in parts:
            run("prepare", part, "--out", folder / part.stem, *settings)
        rounds = [measure(folder, parts, settings) for _ in range(options.rounds)]
    medians = {way: statistics.median(one[way] for one in rounds) for way in WAYS}
    print(f"{'way':<18} {'seconds':>8} {'of preparing all':>17}")
    for way, seconds in medians.items():
        print(f"{way:<18} {seconds:>8.2f} {seconds / medians['prepare']:>17.3f}")
    print("all four datasets have the same digest")


if __name__ == "__main__":
    main()
