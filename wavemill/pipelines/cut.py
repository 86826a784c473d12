"""One pass over a file, in which every span that is wanted of it is gathered and encoded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from wavemill.audio import AudioInfo, AudioStream, encode_flac, pick_channels, resample, to_mono
from wavemill.audio.stream import Block
from wavemill.errors import RejectedError
from wavemill.records import INVALID_ROW, Recording, Span

TOLERANCE_SECONDS = 0.1
"""Manifests round: a window may end this far past the end, a file be this much shorter."""


@dataclass(frozen=True, kw_only=True)
class AudioForm:
    """What the stored audio is turned into; by default it stays as the source has it."""

    sample_rate: int | None = None
    mono: bool = False


@dataclass(kw_only=True)
class Cut:
    """A span on its way through a file: its parts gather until it is whole, then are encoded."""

    recording: Recording
    index: int
    span: Span
    start: int
    end: float
    """In samples; infinite for "to the end"."""
    start_seconds: float
    """Of the first sample, which a span's own start is rounded to."""
    slack: int = 0
    """Samples kept beyond `end`, for a rounded duration that may mean the whole file."""
    parts: list[Block] = field(default_factory=list)
    audio: bytes = b""
    num_samples: int = 0
    num_channels: int = 0
    error: RejectedError | None = None

    @property
    def is_empty(self) -> bool:
        """True of a finished cut that no sample fell into."""
        return self.error is not None and self.error.reason == INVALID_ROW

    def take(self, block: Block, position: int) -> None:
        """Keep what a block that begins at sample `position` holds of the span."""
        low = max(0, self.start - position)
        high = min(len(block), self.end + self.slack - position)
        if high > low:
            self.parts.append(block[low : int(high)])

    def finish(self, total: int, info: AudioInfo, form: AudioForm) -> None:
        """Encode; `total` is how many samples of the file have gone by."""
        try:
            audio = self._samples(total)
            rate = form.sample_rate or info.sample_rate
            audio = resample(
                to_mono(audio)[:, None] if form.mono else audio, info.sample_rate, rate
            )
            self.num_samples, self.num_channels = audio.shape
            self.audio = encode_flac(audio, rate, info.bit_depth)
        except RejectedError as error:
            self.error = error
        self.parts.clear()

    def _samples(self, total: int) -> Block:
        if not self.parts:
            raise RejectedError(INVALID_ROW, "the row's window holds no sample: it is too short")
        audio = np.concatenate(self.parts)
        if self.slack and total > self.end + self.slack:
            audio = audio[: int(self.end) - self.start]
        return pick_channels(audio, self.span.channels or self.recording.window.channels)


def cut_file(
    stream: AudioStream, chosen: Sequence[tuple[Recording, Iterable[Span]]], form: AudioForm
) -> tuple[int, list[list[Cut]]]:
    """Walk a file once; return its length in samples and the cuts of each recording.

    A cut is encoded as soon as it is whole: only the spans under way are in memory as samples.
    """
    info = stream.info
    waiting = [_as_cuts(recording, spans, info.sample_rate) for recording, spans in chosen]
    following = [next(cuts, None) for cuts in waiting]
    begun: list[list[Cut]] = [[] for _ in chosen]
    under_way: list[Cut] = []
    position = 0
    for block in stream.blocks():
        end = position + len(block)
        for number, cuts in enumerate(waiting):
            while (cut := following[number]) is not None and cut.start < end:
                begun[number].append(cut)
                under_way.append(cut)
                following[number] = next(cuts, None)
        for cut in under_way:
            cut.take(block, position)
            if cut.end + cut.slack < end:
                cut.finish(end, info, form)
        under_way = [cut for cut in under_way if cut.end + cut.slack >= end]
        position = end
    for cut in under_way:
        cut.finish(position, info, form)
    return position, begun


def _as_cuts(recording: Recording, spans: Iterable[Span], sample_rate: int) -> Iterator[Cut]:
    for index, span in enumerate(spans):
        if span.problem is not None:
            continue
        start = round(span.start_seconds * sample_rate)
        end, slack = float("inf"), 0
        if span.duration_seconds is not None:
            end = round((span.start_seconds + span.duration_seconds) * sample_rate)
            rounded = span is recording.window and not recording.explicit_window
            slack = round(TOLERANCE_SECONDS * sample_rate) if rounded else 0
        yield Cut(
            recording=recording,
            index=index,
            span=span,
            start=start,
            end=end,
            start_seconds=start / sample_rate,
            slack=slack,
        )
