"""Compare the memory that `wavemill profile` predicts with that of real steps on a CPU.

    python benchmarks/profile_memory.py [--width 256]
    python benchmarks/profile_memory.py --paper   # one step of the preset: 5 GB, a minute

For each model and shape: the predicted peak of a training step; the peak of what torch's allocator
gave out in a real one, as torch's profiler reports it; and the peak of the sum of live tensors.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.models.peaks import allocated_peak, dataset_facts, live_peak, stream_facts
from wavemill.models.memory.predict import Predictor
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe

SHAPES = ((1, 100), (16, 100), (2, 500), (4, 1000), (1, 2000))
"""Samples, and tokens of each."""


def row(recipe: Recipe, data: DataFacts, precision: str, size: int, tokens: int) -> list[float]:
    """Return the predicted, the allocated and the live peak in MB, and seconds to predict it."""
    extent = Extent(seconds=tokens / 100, tokens=dict.fromkeys(data.streams, tokens))
    predictor = Predictor(recipe, data, precision=precision)
    started = time.perf_counter()
    predicted = predictor.step_bytes(extent, size).peak
    took = time.perf_counter() - started
    peaks = (
        predicted,
        allocated_peak(recipe, data, extent, size, precision),
        live_peak(recipe, data, extent, size, precision),
    )
    return [*(peak / 1e6 for peak in peaks), took]


def rows(widths: list[int], *, paper: bool) -> Iterator[tuple[str, list[str], str, int, int]]:
    """Yield what to measure: a name, settings, precision, samples, tokens."""
    if paper:
        yield "paper", ["layers=24", "width=1024", "heads=16"], "bfloat16", 1, 200
        return
    for width, layout, precision, (size, tokens) in itertools.product(
        widths, ("delay", "flat"), ("float32", "bfloat16"), SHAPES
    ):
        if layout == "delay" or size * tokens <= 2000:  # more takes minutes on a CPU
            settings = [f"layout={layout}", f"width={width}", f"heads={width // 64}"]
            yield f"{layout} {width}", settings, precision, size, tokens


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--paper", action="store_true")
    arguments = parser.parse_args()
    data = dataset_facts(stream_facts(codebooks=4, size=256))
    print("| model | precision | samples x tokens | predicted MB | allocated | error"
          " | live tensors | error | seconds |\n|-|-|-|-|-|-|-|-|-|")  # fmt: skip
    worst = 0.0
    for name, settings, precision, size, tokens in rows(arguments.width, paper=arguments.paper):
        torch.manual_seed(0)
        recipe = make_recipe("token-lm", "small", settings, data)
        predicted, allocated, live, took = row(recipe, data, precision, size, tokens)
        errors = [predicted / real - 1 for real in (allocated, live)]
        worst = max(worst, *map(abs, errors))
        print(f"| {name} | {precision} | {size} x {tokens} | {predicted:.1f}"
              f" | {allocated:.1f} | {errors[0]:+.2%} | {live:.1f} | {errors[1]:+.2%}"
              f" | {took:.2f} |", flush=True)  # fmt: skip
    print(f"largest error: {worst:.2%}")


if __name__ == "__main__":
    main()
