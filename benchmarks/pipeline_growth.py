"""How a job's time and memory grow with its corpus: a table, a line through times, a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Point(NamedTuple):
    """A corpus `times` over."""

    times: int
    recordings: int
    seconds: float
    peak_mb: float
    """Allocated."""
    mapped_mb: float
    """With the files that are mapped."""


def fit(points: Sequence[Point]) -> tuple[float, float]:
    """Return what starting takes, and what the corpus takes each time, in seconds."""
    slope, start = np.polyfit([p.times for p in points], [p.seconds for p in points], 1)
    return float(start), float(slope)


def lines(points: Sequence[Point]) -> Iterator[str]:
    """Yield a table, and what the line through its times leaves."""
    start, slope = fit(points)
    yield (
        f"{'corpus':>8} {'recordings':>11} {'seconds':>8} {'line':>8} {'peak MB':>9} {'ratio':>6}"
        f" {'mapped too':>11}"
    )
    for point in points:
        line, ratio = start + slope * point.times, point.peak_mb / points[0].peak_mb
        yield (
            f"{point.times:>7}x {point.recordings:>11} {point.seconds:>8.1f} {line:>8.1f}"
            f" {point.peak_mb:>9.0f} {ratio:>6.2f} {point.mapped_mb:>11.0f}"
        )
    off = max(abs(p.seconds - start - slope * p.times) / p.seconds for p in points)
    yield f"seconds = {start:.2f} + {slope:.2f} x times; no point is off by more than {off:.1%}"


def plot(points: Sequence[Point], place: Path) -> None:
    """Draw times with their line, and memory, as SVG or PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "wavemill"
    from matplotlib import pyplot as plt

    start, slope = fit(points)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    times = [point.times for point in points]
    left.plot([0, max(times)], [start, start + slope * max(times)], color="0.7")
    left.plot(times, [point.seconds for point in points], "o")
    left.set(xlabel="times the corpus", ylabel="seconds", ylim=0, xlim=0)
    right.plot(times, [point.mapped_mb for point in points], "o-", label="mapped files too")
    right.plot(times, [point.peak_mb for point in points], "o-", label="allocated")
    right.legend(loc="lower right")
    right.set(xlabel="times the corpus", ylabel="peak memory, MB", ylim=0, xlim=0)
    figure.tight_layout()
    figure.savefig(place, metadata={"Date": None} if place.suffix == ".svg" else None)
