"""One sample as it was read, and crops of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.errors import UsageError
from wavemill.loader.corpus import Stream
from wavemill.sharding.buckets import Floats, Ints
from wavemill.specs import check_range

ROUNDING = 1e-6
"""Of a token; seconds times a rate may be a hair over a whole number."""


@dataclass(kw_only=True, slots=True)
class Sample:
    """A sample; its arrays are views of files that cannot be written to."""

    key: str
    dataset: int = 0
    """Which of the datasets it is from."""
    tokens: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Of each stream: ids [T, Q], uint8 or uint16."""
    times: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Of each stream on an irregular clock: [T, 2], seconds where tokens begin and end."""
    audio: npt.NDArray[np.float32] | None = None
    """[N], mono, -1 to 1."""
    sample_rate: int | None = None
    cut: dict[str, Any] | None = None
    """lhotse's cut, with the text and all that the input said of it."""

    @property
    def text(self) -> str | None:
        """What is said, by its cut; None where nothing is known."""
        said = self.cut["supervisions"] if self.cut else None
        return said[0].get("text") if said else None


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Take pieces of at most so many seconds; tokens and audio at the same place."""

    seconds: float
    random: bool = True
    """Where, drawn anew for each sample and epoch; else each sample's beginning."""

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("crop seconds", self.seconds, 0.001, 1e9)

    def limit(self, seconds: Floats) -> Floats:
        """Return durations once they are cropped."""
        return np.minimum(seconds, self.seconds)

    def limit_tokens(self, tokens: Ints, stream: Stream) -> Ints:
        """Return the most tokens that samples have once they are cropped."""
        if stream.frame_rate is None:
            return tokens
        return np.minimum(tokens, self.count(stream.frame_rate))

    def count(self, rate: float) -> int:
        """Return how many tokens (or samples) a piece has at a rate."""
        return max(math.ceil(self.seconds * rate - ROUNDING), 1)

    def start(self, seconds: float, draw: float, rate: float) -> float:
        """Return where to crop a sample, in seconds.

        Args:
            seconds: its duration.
            draw: a number from 0 up to 1.
            rate: of the stream (or audio) whose grid the piece begins on.

        """
        steps = math.floor((seconds - self.seconds) * rate + ROUNDING)
        if not self.random or steps <= 0:
            return 0.0
        return math.floor(draw * (steps + 1)) / rate

    def tokens(self, sample: Sample, stream: Stream, start: float) -> None:
        """Crop a stream of a sample in place; times then count from the piece's beginning."""
        ids = sample.tokens[stream.name]
        if stream.frame_rate is not None:
            first = round(start * stream.frame_rate)
            sample.tokens[stream.name] = ids[first : first + self.count(stream.frame_rate)]
            return
        times = sample.times[stream.name]
        within = (times[:, 0] >= start) & (times[:, 0] < start + self.seconds)
        sample.tokens[stream.name] = ids[within]
        sample.times[stream.name] = times[within] - start


def check_crop(crop: Crop | None, streams: Sequence[Stream]) -> None:
    """Check that streams can be cropped.

    Raises:
        UsageError: where a stream's tokens begin is not known.

    """
    for stream in streams if crop else ():
        if stream.frame_rate is None and stream.times is None:
            raise UsageError(f"the stream {stream.name!r} has no times: it cannot be cropped")
