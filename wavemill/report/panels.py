"""The figure of a sample: marks, waveform, spectrogram, tokens, and what they decode to.

All lie over one another on one clock, between `LEFT` and `RIGHT` of the figure's width, so a page
can show where its player is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wavemill.report.spans import Mark
from wavemill.report.spectrogram import DEEP_DB, spectrogram
from wavemill.report.svg import FAINT, FIRST, LINE, TEXT, drawing, printable, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Audio = npt.NDArray[np.float32]

WIDTH = 860
"""In CSS pixels."""
LEFT, RIGHT = 0.115, 0.99
LANE, WAVE, PICTURE = 18, 56, 110
"""Heights: of a level of marks, a waveform, a spectrogram."""
GAP, TOP, BOTTOM = 8, 4, 34
ROW, LEAST_STRIP, MOST_STRIP = 7, 16, 96
"""Heights: of a codebook, and of a stream."""
WAVE_COLUMNS = 430
CHARACTER = 5.6
"""About how wide one is."""
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The tokens of a stream, as far as they are shown."""

    name: str
    ids: npt.NDArray[Any]
    """[T, Q]."""
    edges: npt.NDArray[np.float64]
    """When tokens begin and end in seconds, [T, 2]."""
    regular: bool


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Audio to look at."""

    name: str
    audio: Audio
    """[N], N >= 1."""
    rate: int


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What is drawn of a sample."""

    seconds: float
    marks: Mapping[str, Sequence[Mark]]
    sound: Sound | None
    strips: Sequence[Strip]
    decoded: Sequence[Sound] = field(default=())


def draw_sample(sketch: Sketch, title: str) -> str:
    """Draw a sample."""
    rows = list(_rows(sketch))
    height = TOP + BOTTOM + sum(row[0] for row in rows) + GAP * max(len(rows) - 1, 0)
    with drawing(WIDTH, height) as figure:
        top = height - TOP
        axes: Any = None
        for row_height, name, draw in rows:
            box = (LEFT, (top - row_height) / height, RIGHT - LEFT, row_height / height)
            axes = figure.add_axes(box)
            axes.set_yticks([])
            axes.tick_params(bottom=False, labelbottom=False)
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
            _name(axes, name)
            draw(axes)
            axes.set_xlim(0, sketch.seconds)
            top -= row_height + GAP
        if axes is not None:
            axes.tick_params(bottom=True, labelbottom=True, color=LINE)
            axes.set_xlabel("seconds")
        return to_svg(figure, title)


def _rows(sketch: Sketch) -> Any:
    """Yield height, name and drawing of what lies below one another."""
    for level, marks in sketch.marks.items():
        yield LANE, level, lambda axes, marks=marks: _lane(axes, marks, sketch.seconds)
    if sketch.sound is not None:
        sound = sketch.sound
        yield WAVE, "wave", lambda axes: _wave(axes, sound, sketch)
        yield PICTURE, sound.name, lambda axes: _picture(axes, sound, sketch)
    decoded = {sound.name: sound for sound in sketch.decoded}
    for strip in sketch.strips:
        height = min(max(ROW * strip.ids.shape[1], LEAST_STRIP), MOST_STRIP)
        yield height, strip.name, lambda axes, strip=strip: _strip(axes, strip)
        if strip.name in decoded:
            other = decoded[strip.name]
            yield (
                PICTURE,
                f"{strip.name},\ndecoded",
                (lambda axes, other=other: _picture(axes, other, sketch)),
            )


def _name(axes: "Axes", name: str) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", color=FAINT, labelpad=6)


def _lane(axes: "Axes", marks: Sequence[Mark], seconds: float) -> None:
    axes.set_ylim(0, 1)
    boxes = [(mark.start, mark.start, mark.end, mark.end, mark.start, np.nan) for mark in marks]
    around = [0, 1, 1, 0, 0, np.nan] * len(marks)
    axes.plot(np.ravel(boxes), around, color=FAINT, linewidth=0.6)  # one path: a page holds many
    scale = (RIGHT - LEFT) * WIDTH / seconds / CHARACTER
    for mark in marks:
        room = int((mark.end - mark.start) * scale)
        label = printable(mark.label)
        if room < len(label):
            label = f"{label[: room - 1]}\N{HORIZONTAL ELLIPSIS}" if room > 2 else ""
        if label:
            middle = (mark.start + mark.end) / 2
            axes.text(middle, 0.46, label, ha="center", va="center", fontsize=10, color=TEXT)


def _wave(axes: "Axes", sound: Sound, sketch: Sketch) -> None:
    step = max(-(-len(sound.audio) // WAVE_COLUMNS), 1)
    starts = np.arange(0, len(sound.audio), step)
    high = np.maximum.reduceat(sound.audio, starts)
    low = np.minimum.reduceat(sound.audio, starts)
    axes.fill_between((starts + step / 2) / sound.rate, low, high, color=FIRST, linewidth=0.6)
    most = max(float(np.abs(sound.audio).max()), 1e-4)
    axes.set_ylim(-most, most)
    _bounds(axes, sketch, FAINT)


def _picture(axes: "Axes", sound: Sound, sketch: Sketch) -> None:
    levels, step = spectrogram(sound.audio, sound.rate)
    extent = (-step / 2, (levels.shape[1] - 0.5) * step, 0, sound.rate / 2000)
    axes.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-DEEP_DB,
                vmax=0, interpolation="none")  # fmt: skip
    axes.text(0.004, 0.93, f"{sound.rate / 2000:g} kHz", transform=axes.transAxes, va="top",
              color="#ffffff", fontsize=10)  # fmt: skip
    _bounds(axes, sketch, "#ffffff")


def _bounds(axes: "Axes", sketch: Sketch, colour: str) -> None:
    """Draw where marks and syllables begin and end: the coarser, the firmer."""
    timed = [strip.edges for strip in sketch.strips if not strip.regular]
    levels = [[(mark.start, mark.end) for mark in marks] for marks in sketch.marks.values()]
    for at, edges in enumerate([*levels, *timed]):
        times = np.unique(np.asarray(edges, np.float64))
        times = times[(times > 0) & (times < sketch.seconds)]
        low, high = axes.get_ylim()
        across = np.repeat(times, 3)
        across[2::3] = np.nan
        alpha = max(0.8 - 0.25 * at, 0.2)
        axes.plot(
            across, [low, high, np.nan] * len(times), color=colour, linewidth=0.8, alpha=alpha
        )


def _strip(axes: "Axes", strip: Strip) -> None:
    """Draw each id in a colour of its own, the same wherever it occurs."""
    from matplotlib import colormaps

    colours = colormaps["turbo"]((strip.ids.T * GOLDEN) % 1.0)  # [Q, T, 4]
    axes.set_ylim(len(colours), 0)
    if not len(strip.ids):
        return
    if strip.regular:
        extent = (strip.edges[0, 0], strip.edges[-1, 1], len(colours), 0)
        axes.imshow(colours[..., :3], aspect="auto", extent=extent, interpolation="none")
        return
    spans = [(begin, end - begin) for begin, end in strip.edges]
    for codebook, row in enumerate(colours):
        axes.broken_barh(spans, (codebook, 1), facecolors=row, edgecolor=LINE, linewidth=0.5,
                         clip_on=False)  # fmt: skip
