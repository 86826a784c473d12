"""Cutting long clips for encoders whose attention costs the square of the length.

A window is heard whole; only its middle counts, so that every feature but those at the clip's own
ends has heard some context on both sides. Where a clip is cut depends on its length alone.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from wavemill.tokenizers.teachers.base import Features


class Window(NamedTuple):
    """A window of steps `start` to `stop`, of which `first` to `last` (of all steps) count."""

    start: int
    stop: int
    first: int
    last: int


def windows(steps: int, longest: int, context: int) -> Iterator[Window]:
    """Cut so many steps into windows of at most `longest`, with `context` on each inner side."""
    if steps <= longest:
        yield Window(0, steps, 0, steps)
        return
    counted = longest - 2 * context
    for first in range(0, steps, counted):
        last = min(first + counted, steps)
        yield Window(max(0, first - context), min(steps, last + context), first, last)


def in_windows(
    steps: int, longest: int, context: int, encode: Callable[[int, int], Features], width: int = 1
) -> Features:
    """Encode window by window and join what counts.

    Args:
        steps: of the clip.
        longest: steps of a window.
        context: steps on each inner side of a window that are heard and do not count.
        encode: gives the features [(stop - start) * width, D] of steps `start` to `stop`.
        width: features a step.

    Returns:
        [steps * width, D].

    """
    parts = []
    for start, stop, first, last in windows(steps, longest, context):
        part = encode(start, stop)
        parts.append(part[(first - start) * width : (last - start) * width])
    return np.ascontiguousarray(np.concatenate(parts) if len(parts) > 1 else parts[0])
