"""Measure that a job's memory does not grow with the corpus.

    python benchmarks/corpora.py asterisk-en --out /tmp/asterisk-en
    python benchmarks/memory.py /tmp/asterisk-en

Prepares a corpus once and several times over (each recording under several ids), in a process each,
and prints the peak resident memory (the operating system's own figure), the time and the ratios.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def repeated_manifest(corpus: Path, times: int, place: Path) -> int:
    """Write a manifest in which every recording comes `times` times; return the rows."""
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").open(encoding="utf-8")]
    with place.open("w", encoding="utf-8") as file:
        for copy in range(times):
            for row in rows:
                path = str(corpus.absolute() / row["audio_filepath"])
                name = f"{row['audio_filepath']} {copy}"
                file.write(json.dumps({**row, "audio_filepath": path, "id": name}) + "\n")
    return times * len(rows)


def measure(manifest: Path, out: Path, arguments: list[str]) -> tuple[float, float]:
    """Prepare a manifest; return peak memory in MB and seconds."""
    command = [sys.executable, "-m", "wavemill", "prepare", str(manifest), "--out", str(out)]
    script = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run(sys.argv[1:]).returncode\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(code)\n"
    )
    started = time.monotonic()
    # A process in between, so that its children are this job's alone.
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--quiet", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.splitlines()[-1]) / 1024, time.monotonic() - started


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Peak memory of `prepare` against corpus size.")
    parser.add_argument("corpus", type=Path, help="a folder that corpora.py made")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4], metavar="N")
    parser.add_argument("--tokenizer", nargs="*", default=["beats", "mvq"], metavar="NAME")
    options = parser.parse_args()
    arguments = [word for name in options.tokenizer for word in ("--tokenizer", name)]
    print(f"{'corpus':>8} {'recordings':>11} {'peak MB':>9} {'ratio':>6} {'seconds':>8}")
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for times in options.times:
            manifest = Path(folder) / f"{times}.jsonl"
            rows = repeated_manifest(options.corpus, times, manifest)
            peak, seconds = measure(manifest, Path(folder) / str(times), arguments)
            first = first or peak
            print(f"{times:>7}x {rows:>11} {peak:>9.0f} {peak / first:>6.2f} {seconds:>8.1f}")


if __name__ == "__main__":
    main()
