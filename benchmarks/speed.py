"""What `tokenize.py` measures: each tokenizer beside its peer, in turns, and the machine itself.

Times on a shared machine say little; ratios within a run say more. So both sides run by turns, and
what counts is the median over the rounds of the ratio of two runs that followed one another.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch

SPEECH = Path(__file__).parents[1] / "examples/speech/audio"
MATRIX = 1024


class PeerMissingError(Exception):
    """A package to compare with is not installed; says how to have it."""


def by_turns(ways: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Run all ways in turns; give the seconds of each, but of the first round, which warms up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if number:
                taken[name].append(time.perf_counter() - started)
    return taken


def ratio(these: list[float], those: list[float]) -> float:
    """Return the median ratio of paired times: how many times as long `these` took."""
    return median(this / that for this, that in zip(these, those, strict=True))


def matmul_gflops(threads: int) -> float:
    """Measure a float32 product of large matrices: the most that this machine multiplies."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    matrix = torch.randn(MATRIX, MATRIX)
    seconds = by_turns({"product": lambda: matrix @ matrix}, 15)["product"]
    torch.set_num_threads(before)
    return 2 * MATRIX**3 / min(seconds) / 1e9


def main() -> None:
    """Print all figures."""
    import speed_encodec
    import speed_mvq
    import speed_syllables

    parts = {"encodec": speed_encodec, "sylber": speed_syllables, "mvq": speed_mvq}
    parser = argparse.ArgumentParser(description="Measure the tokenizers' speed.")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), metavar="NAME")
    parser.add_argument("--clips", type=Path, default=SPEECH, help="a folder of audio, for encodec")
    parser.add_argument("--every", type=int, default=2, help="take every so many of its files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=torch.get_num_threads())
    parser.add_argument("--sylber", type=Path, help="sylber/utils/segment_utils.py of its source")
    options = parser.parse_args()
    one, many = matmul_gflops(1), matmul_gflops(options.workers)
    print(f"machine: {one:.0f} GFLOP/s with 1 thread, {many:.0f} with {options.workers} (float32)")
    for name in options.only:
        print(f"\n{name}")
        try:
            for line in parts[name].measure(options, one, many):
                print(f"  {line}", flush=True)
        except PeerMissingError as missing:
            print(f"  left out: {missing}")
