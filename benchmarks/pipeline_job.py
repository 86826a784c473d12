"""A `prepare` job in a process of its own, measured from outside: wall time and peak memory."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Ran:
    """A job that ended well."""

    wall: float
    """Seconds from the process's start to its end."""
    peak_mb: float
    """The most that it and its workers held at once, what they share counted once."""
    tokens: dict[str, int]
    """By stream."""
    run: dict[str, Any]
    """Its `run.json`."""


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


def prepare(manifest: Path, out: Path, tokenizers: Sequence[str], workers: int) -> Ran:
    """Prepare a manifest with so many workers."""
    command = [sys.executable, "-m", "wavemill", "prepare", manifest, "--out", out, "--quiet"]
    command += [
        "--workers",
        workers,
        *(word for name in tokenizers for word in ("--tokenizer", name)),
    ]
    started = time.monotonic()
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    peak = [0.0]

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], sum(map(_held_mb, _tree(process.pid))))
            time.sleep(SAMPLE_SECONDS)

    thread = threading.Thread(target=watch)
    thread.start()
    code = process.wait()
    wall = time.monotonic() - started
    thread.join()
    if code:
        raise SystemExit(f"prepare failed with {code}")
    content = json.loads((out / "dataset.json").read_text("utf-8"))
    tokens = {name: about["tokens"] for name, about in content["tokenizers"].items()}
    return Ran(wall, peak[0], tokens, json.loads((out / "run.json").read_text("utf-8")))


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))
    except OSError:  # it has ended
        return


def _held_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
