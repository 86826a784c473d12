"""Decodes mutated files in a child process, and says what came of each.

`python -m tests.faults.fuzz --files 20000 --seed 0` prints how many were rejected and why, the
slowest, the largest memory, and every file that crashed the child or took too long. Of what it
names, `--first NUMBER --files 1 --keep FOLDER` leaves the file itself.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.faults.mutations import bases, mutated
from wavemill.pipelines.segment import AudioForm, segment_unit
from wavemill.pipelines.segmenters import make_segmenter, parse_segmenter
from wavemill.records import Recording, Reject

FILE_SECONDS = 60.0
"""No file may take longer."""
CRASHED, HUNG = "CRASHED", "HUNG"


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    number: int
    reason: str
    """Of its reject; empty where it came through."""
    detail: str
    seconds: float
    peak_mb: float
    """Of the process, so far."""


def outcomes(seed: int, first: int, count: int, keep: Path | None = None) -> Iterator[Outcome]:
    """Decode files `first` and on; start a new child where one crashed or hung."""
    number, end = first, first + count
    while number < end:
        here, there = multiprocessing.Pipe()
        child = multiprocessing.Process(target=_decode_all, args=(there, seed, number, end, keep))
        child.start()
        there.close()
        try:
            while number < end and here.poll(FILE_SECONDS + 20 * (number == first)):
                yield Outcome(**json.loads(here.recv()))
                number += 1
            if number < end:
                yield Outcome(number, HUNG, "", FILE_SECONDS, 0.0)
        except EOFError:
            child.join()
            yield Outcome(number, CRASHED, f"exit code {child.exitcode}", 0.0, 0.0)
        finally:
            child.kill()
            child.join()
        number += 1


def _decode_all(pipe: Connection, seed: int, first: int, end: int, keep: Path | None) -> None:
    sources = bases()
    segmenter = make_segmenter(parse_segmenter("none"))
    with tempfile.TemporaryDirectory(dir=keep) as folder:
        for number in range(first, end):
            name, data = mutated(sources, seed, number)
            place = (keep or Path(folder)) / name
            place.write_bytes(data)
            started = time.monotonic()
            (found,) = segment_unit([Recording(id=name, url=str(place))], segmenter, AudioForm())
            reason, detail = (found.reason, found.detail) if isinstance(found, Reject) else ("", "")
            outcome = Outcome(
                number,
                reason,
                detail,
                time.monotonic() - started,
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            )
            pipe.send(json.dumps(asdict(outcome)))
            if keep is None:
                place.unlink()


def main() -> None:
    """Run as asked; exit 1 where a file crashed the child or took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="A folder in which the files stay.")
    given = parser.parse_args()
    reasons: Counter[str] = Counter()
    slowest, peak, bad = (0.0, -1), 0.0, 0
    for found in outcomes(given.seed, given.first, given.files, given.keep):
        reasons[found.reason or "whole"] += 1
        slowest = max(slowest, (found.seconds, found.number))
        peak = max(peak, found.peak_mb)
        if found.reason in (CRASHED, HUNG):
            bad += 1
            print(f"file {found.number}: {found.reason} {found.detail}", flush=True)
    print(", ".join(f"{reason} {count}" for reason, count in reasons.most_common()))
    print(
        f"slowest: file {slowest[1]}, {slowest[0]:.2f} s; peak {peak:.0f} MB; {bad} crashed or hung"
    )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
