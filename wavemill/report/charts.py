"""The figures of a whole dataset."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavemill.report.lengths import LengthFacts
from wavemill.report.spread import EDGES, Ints, Spread
from wavemill.report.svg import FAINT, FIRST, LINE, SECOND, TEXT, drawing, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 380, 215
"""Of a figure in CSS pixels: it is as wide as a telephone, and never shrinks by much."""
GRID_COLOURS = ["#8ec1f7", "#d6336c"]
MAX_TICKS = 9


def histogram(spread: Spread, what: str, unit: str) -> str:
    """Draw how many samples have which length."""
    bars = spread.bars()
    with drawing(WIDTH, HEIGHT) as figure:
        axes = figure.subplots()
        edges = np.log2(bars.edges)
        axes.bar(edges[:-1], bars.counts, np.diff(edges) * 0.94, align="edge", color=FIRST)
        _ticks(axes.xaxis, edges[0], edges[-1])
        _counts_axis(axes)
        axes.set_xlabel(unit)
        axes.set_ylabel("samples")
        figure.subplots_adjust(0.15, 0.22, 0.96, 0.96)
        return to_svg(figure, f"Histogram of {what}: {_summary(spread, unit)}")


def _summary(spread: Spread, unit: str) -> str:
    return (
        f"{spread.samples:,} samples from {spread.smallest:.3g} to {spread.largest:.3g} {unit},"
        f" half of them under about {spread.quantile(0.5):.3g}"
    )


def bucket_grid(facts: LengthFacts) -> str:
    """Draw how many samples have which seconds and tokens, and the bounds of the buckets."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    across, up = _held(facts.grid.sum(axis=1)), _held(facts.grid.sum(axis=0))
    counts = facts.grid[across, up].T.astype(np.float64)
    # Logarithms on even axes, so that bins are pixels of a small image.
    x, y = np.log2(_edges(across)), np.log2(_edges(up))
    colours = LinearSegmentedColormap.from_list("samples", GRID_COLOURS)
    with drawing(2 * WIDTH, 330) as figure:
        axes = figure.subplots()
        extent = (x[0], x[-1], y[0], y[-1])
        axes.imshow(np.ma.log(np.ma.masked_equal(counts, 0)), cmap=colours, extent=extent,
                    origin="lower", aspect="auto", interpolation="none")  # fmt: skip
        left, low, right = x[0], y[0], x[0]
        for bucket in facts.buckets:
            if (bound := float(np.log2(max(bucket.max_seconds, 2.0 ** x[0])))) > right:
                left, low, right = right, y[0], bound
            high = float(np.log2(max(bucket.max_tokens, 2.0 ** y[0])))
            outline = Rectangle((left, low), right - left, high - low, fill=False)
            axes.add_patch(outline)
            outline.set(edgecolor=TEXT, linewidth=0.8)
            low = high
        _ticks(axes.xaxis, extent[0], extent[1])
        _ticks(axes.yaxis, extent[2], extent[3])
        axes.set_xlabel("seconds")
        axes.set_ylabel("tokens of the longest stream")
        figure.subplots_adjust(0.09, 0.14, 0.99, 0.97)
        words = "samples by seconds and tokens; the table below has what lies in each and is padded"
        return to_svg(figure, f"{len(facts.buckets)} buckets of {words}")


def padding(facts: LengthFacts) -> str:
    """Draw which share of each bucket is padding where all are padded to its longest."""
    with drawing(2 * WIDTH, 190) as figure:
        axes = figure.subplots()
        at = np.arange(len(facts.buckets))
        kinds = {
            "seconds": [100 * bucket.padding_seconds for bucket in facts.buckets],
            "tokens": [100 * bucket.padding_tokens for bucket in facts.buckets],
        }
        width = 0.8 / len(kinds)
        for number, (kind, shares) in enumerate(kinds.items()):
            axes.bar(at + (number - 0.5) * width, shares, width, label=kind,
                     color=(FIRST, SECOND)[number])  # fmt: skip
        axes.grid(visible=True, axis="y", linewidth=0.5)
        axes.set_xticks(at[:: max(1, len(at) // 20)])
        axes.set_xlim(-0.6, len(at) - 0.4)
        axes.set_xlabel("bucket")
        axes.set_ylabel("% padding")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.18), ncols=2)
        figure.subplots_adjust(0.07, 0.25, 0.99, 0.88)
        return to_svg(figure, "Share of padding in each bucket; the table below has the figures")


def perplexities(name: str, values: Sequence[float], size: int) -> str:
    """Draw the perplexity of each codebook of a stream."""
    with drawing(WIDTH, HEIGHT) as figure:
        axes = figure.subplots()
        axes.bar(np.arange(len(values)), values, color=FIRST, width=0.8)
        axes.set_xticks(range(0, len(values), max(1, len(values) // 8)))
        axes.set_ylim(0, max(*values, 1.0) * 1.15)
        for at, value in enumerate(values) if len(values) <= 12 else ():
            axes.annotate(f"{value:.0f}", (at, value), (0, 2), textcoords="offset points",
                          ha="center", fontsize=10)  # fmt: skip
        axes.set_xlabel("codebook")
        axes.set_ylabel(f"perplexity, of {size}")
        figure.subplots_adjust(0.15, 0.24, 0.98, 0.96)
        return to_svg(figure, f"Perplexity of the codebooks of {name}; the table has the figures")


def usage(name: str, counts: Ints) -> str:
    """Draw how often ids occur, from the most frequent on, a line for each codebook.

    Args:
        name: of the stream.
        counts: [Q, K].

    """
    with drawing(WIDTH, HEIGHT) as figure:
        axes = figure.subplots()
        ordered = -np.sort(-counts, axis=1)
        for codebook, row in enumerate(ordered):
            held = row[row > 0] / max(int(row.sum()), 1)
            alpha = 1 - 0.7 * codebook / len(ordered)
            ranks = np.log2(np.arange(1, len(held) + 1))
            axes.plot(ranks, np.log2(100 * held), color=FIRST, alpha=alpha, linewidth=1.4)
        low, high = axes.get_ylim()
        _ticks(axes.xaxis, 0, float(np.log2(counts.shape[1])))
        _ticks(axes.yaxis, low, high)
        axes.grid(visible=True, linewidth=0.5)
        axes.set_xlabel("ids, the most frequent first")
        axes.set_ylabel("% of tokens")
        figure.subplots_adjust(0.17, 0.24, 0.95, 0.96)
        return to_svg(figure, f"Share of the tokens of {name} that each id has, by codebook")


def _held(counts: Ints) -> slice:
    """Return the bins that hold something, and those between them."""
    held = np.flatnonzero(counts)
    return slice(int(held[0]), int(held[-1]) + 1) if len(held) else slice(1, 2)


def _edges(bins: slice) -> Any:
    """Return the edges of some bins; what lies below all of them is drawn just below the first."""
    low = EDGES[bins.start - 1 : bins.stop] if bins.start else EDGES[: bins.stop]
    return low if bins.start else np.append(EDGES[0] / 2, low)


def _ticks(axis: Any, low: float, high: float) -> None:
    """Write numbers at an axis of logarithms to the base 2."""
    decades = range(int(np.floor(low * np.log10(2))), int(np.ceil(high * np.log10(2))) + 1)
    for steps in ((1, 2, 5), (1,)):
        values = [step * 10.0**decade for decade in decades for step in steps]
        shown = [value for value in values if low <= np.log2(value) <= high]
        if len(shown) <= MAX_TICKS:
            break
    axis.set_ticks([float(np.log2(value)) for value in shown], [f"{value:,g}" for value in shown])


def _counts_axis(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.grid(visible=True, axis="y", color=LINE, linewidth=0.5)
    axes.tick_params(colors=FAINT)


def _short(value: float) -> str:
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if sign == 'k' else limit):,.3g}{sign}"
    return f"{value:,.0f}"
