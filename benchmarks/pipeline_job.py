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
"""To look at memory takes a tenth of a core at this rate: no other time is taken meanwhile."""


@dataclass(frozen=True)
class Ran:
    """A job that ended well."""

    wall: float
    """Seconds from the process's start to its end."""
    peak_mb: float
    """The most that it and its workers had allocated at once, what they share counted once."""
    mapped_mb: float
    """The most with the files that they map, which the system takes back where memory is short."""
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


def prepare(
    manifest: Path, out: Path, tokenizers: Sequence[str], workers: int, *, look: bool = False
) -> Ran:
    """Prepare a manifest with so many workers; look at their memory, which slows them down."""
    command = [sys.executable, "-m", "wavemill", "prepare", manifest, "--out", out, "--quiet"]
    command += [
        "--workers",
        workers,
        *(word for name in tokenizers for word in ("--tokenizer", name)),
    ]
    started = time.monotonic()
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    peak, mapped = [0.0], [0.0]

    def watch() -> None:
        while look and process.poll() is None:
            held = [_held_mb(one) for one in _tree(process.pid)]
            peak[0] = max(peak[0], sum(allocated for allocated, _ in held))
            mapped[0] = max(mapped[0], sum(every for _, every in held))
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
    return Ran(wall, peak[0], mapped[0], tokens, json.loads((out / "run.json").read_text("utf-8")))


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))
    except OSError:  # it has ended
        return


def _held_mb(pid: int) -> tuple[float, float]:
    """Say what a process holds: what it allocated, and all, with the files that it maps."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0.0, 0.0
    sizes = {
        name: int(size.split()[0]) / 1024 for name, size in (line.split(":") for line in lines)
    }
    return sizes["Pss"] - sizes["Pss_File"], sizes["Pss"]
