"""Where segments, words, syllables and phonemes lie in a sample, by what its cut says.

A manifest may give them as lists of `[label, start, end]`, `[start, end, label]` or `[start, end]`
or as objects with `start` and `end` or `duration`, in seconds; lhotse's supervisions as an
`alignment` of `[symbol, start, duration, score]`. Whatever is none of these is not drawn.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wavemill.sharding.layout import ORIGIN

LEVELS = {
    "segments": "segments", "segment": "segments",
    "words": "words", "word": "words",
    "syllables": "syllables", "syllable": "syllables",
    "phonemes": "phonemes", "phoneme": "phonemes", "phones": "phonemes", "phone": "phonemes",
}  # fmt: skip
"""What fields are called, and the level that they give; the levels in order."""
ALIGNMENT = "alignment"
LABELS = ("label", "text", "word", "symbol", "name")
MAX_SPANS = 1000
TOLERANCE_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A stretch of a sample, in seconds from its start."""

    start: float
    end: float
    label: str


def marks_of(cut: Mapping[str, Any], *, whole_recording: bool) -> dict[str, list[Mark]]:
    """Return the marks of each level that a cut has any of.

    Args:
        cut: lhotse's, as shards hold it.
        whole_recording: whether times are the recording's, which the sample was cut from by a
            segmenter. Else they are the sample's where they fit into it.

    """
    custom = cut["custom"]
    found: dict[str, list[Mark]] = {}
    for name, level in LEVELS.items():
        if level not in found and (marks := _read(custom.get(name), _span)):
            found[level] = marks
    alignment = custom.get(ALIGNMENT)
    for name, listed in alignment.items() if isinstance(alignment, dict) else ():
        level = LEVELS.get(name, "")
        if level and level not in found and (marks := _read(listed, _aligned)):
            found[level] = marks
    moved = {
        level: _on_sample(marks, cut, whole_recording=whole_recording)
        for level, marks in found.items()
    }
    return {level: moved[level] for level in dict.fromkeys(LEVELS.values()) if moved.get(level)}


def _on_sample(marks: list[Mark], cut: Mapping[str, Any], *, whole_recording: bool) -> list[Mark]:
    """Move marks to the sample's clock, and leave out what lies outside of it."""
    duration, start = float(cut["duration"]), float(cut["custom"][ORIGIN]["start"])
    fits = max(mark.end for mark in marks) <= duration + TOLERANCE_SECONDS
    shift = start if whole_recording or not fits else 0.0
    return [
        Mark(start=max(mark.start - shift, 0.0), end=min(mark.end - shift, duration),
             label=mark.label)
        for mark in marks
        if mark.end > shift and mark.start - shift < duration
    ][:MAX_SPANS]  # fmt: skip


def _read(listed: Any, read: Callable[[Any], Mark | None]) -> list[Mark]:
    if not isinstance(listed, list):
        return []
    marks = [read(one) for one in listed]
    return [] if None in marks else [mark for mark in marks if mark]


def _span(one: Any) -> Mark | None:
    if isinstance(one, dict):
        label = next((one[name] for name in LABELS if isinstance(one.get(name), str)), "")
        end = one.get("end")
        if _is_time(one.get("start")) and _is_time(one.get("duration")) and end is None:
            end = one["start"] + one["duration"]
        return _mark(one.get("start"), end, label)
    if not isinstance(one, list):
        return None
    labels = [part for part in one if isinstance(part, str)]
    numbers = [part for part in one if not isinstance(part, str)]
    if len(numbers) < 2:
        return None
    return _mark(numbers[0], numbers[1], labels[0] if labels else "")


def _aligned(one: Any) -> Mark | None:
    if not isinstance(one, list) or len(one) < 3 or not isinstance(one[0], str):
        return None
    both = _is_time(one[1]) and _is_time(one[2])
    return _mark(one[1], one[1] + one[2], one[0]) if both else None


def _mark(start: Any, end: Any, label: str) -> Mark | None:
    if not (_is_time(start) and _is_time(end)) or end < start:
        return None
    return Mark(start=float(start), end=float(end), label=label)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
