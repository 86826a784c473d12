"""One pass over a file, in which every span that is wanted of it is cut out and encoded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wavemill.audio import (
    AudioInfo,
    AudioStream,
    FlacEncoder,
    StreamResampler,
    pick_channels,
    to_mono,
)
from wavemill.audio.stream import Block
from wavemill.errors import RejectedError
from wavemill.pipelines.measures import Meter
from wavemill.records import INVALID_ROW, Measures, Recording, Span

TOLERANCE_SECONDS = 0.1
"""Manifests round: a window may end this far past the end, a file be this much shorter."""


@dataclass(frozen=True, kw_only=True)
class AudioForm:
    """What the stored audio is turned into; by default it stays as the source has it."""

    sample_rate: int | None = None
    mono: bool = False


class ClipEncoder:
    """Turns blocks of a file into the audio that is stored of them, as they come."""

    def __init__(self, info: AudioInfo, form: AudioForm, num_channels: int) -> None:
        """Take blocks of `num_channels` channels of a file that `info` describes.

        Raises:
            RejectedError: FLAC cannot hold the audio in this form.

        """
        rate = form.sample_rate or info.sample_rate
        self._mono = form.mono
        self.num_samples = 0
        self.num_channels = 1 if form.mono else num_channels
        self._resampler = StreamResampler(info.sample_rate, rate, self.num_channels)
        self._flac = FlacEncoder(rate, self.num_channels, info.bit_depth)
        self._meter = Meter(rate)

    def push(self, block: Block) -> None:
        """Take a block [N, C]."""
        self._store(self._resampler.push(to_mono(block)[:, None] if self._mono else block))

    def finish(self) -> tuple[bytes, Measures]:
        """Return the FLAC file, and what was measured of it."""
        self._store(self._resampler.finish())
        return self._flac.finish(), self._meter.finish()

    def close(self) -> None:
        """Let go of what is not to be finished."""
        self._flac.close()

    def _store(self, block: Block) -> None:
        self.num_samples += len(block)
        if len(block):
            self._flac.push(block)
            self._meter.push(block)


@dataclass(kw_only=True)
class Cut:
    """A span on its way through a file: what comes of it is encoded at once."""

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
    info: AudioInfo
    form: AudioForm
    audio: bytes = b""
    num_samples: int = 0
    num_channels: int = 0
    measures: Measures | None = None
    is_empty: bool = True
    """True as long as no sample fell into it."""
    error: RejectedError | None = None
    _late: list[Block] = field(default_factory=list)
    """What lies beyond `end`, until the file's length tells whether it belongs to the span."""
    _encoder: ClipEncoder | None = None

    def take(self, block: Block, position: int) -> None:
        """Take what a block that begins at sample `position` holds of the span."""
        low = max(0, self.start - position)
        middle = max(low, int(min(len(block), self.end - position)))
        high = max(low, int(min(len(block), self.end + self.slack - position)))
        self._encode(block[low:middle])
        if high > middle:
            self._late.append(block[middle:high].copy())

    def finish(self, total: int) -> None:
        """End the span; `total` is how many samples of the file have gone by."""
        if total <= self.end + self.slack:
            for block in self._late:
                self._encode(block)
        self._late.clear()
        if self.is_empty:
            words = "the row's window holds no sample: it is too short"
            self.error = RejectedError(INVALID_ROW, words)
        elif self._encoder:
            self.audio, self.measures = self._encoder.finish()
            self.num_samples = self._encoder.num_samples
            self.num_channels = self._encoder.num_channels
        self._encoder = None

    def close(self) -> None:
        """Let go of a span that the file broke off in."""
        if self._encoder:
            self._encoder.close()

    def _encode(self, block: Block) -> None:
        if not len(block) or self.error:
            return
        self.is_empty = False
        try:
            block = pick_channels(block, self.span.channels or self.recording.window.channels)
            self._encoder = self._encoder or ClipEncoder(self.info, self.form, block.shape[1])
            self._encoder.push(block)
        except RejectedError as error:
            self.error = error


def cut_file(
    stream: AudioStream, chosen: Sequence[tuple[Recording, Iterable[Span]]], form: AudioForm
) -> tuple[int, list[list[Cut]]]:
    """Walk a file once; return its length in samples and the cuts of each recording.

    No span is ever in memory as samples, but for the block that is at hand.
    """
    waiting = [_as_cuts(recording, spans, stream.info, form) for recording, spans in chosen]
    following = [next(cuts, None) for cuts in waiting]
    begun: list[list[Cut]] = [[] for _ in chosen]
    under_way: list[Cut] = []
    position = 0
    try:
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
                    cut.finish(end)
            under_way = [cut for cut in under_way if cut.end + cut.slack >= end]
            position = end
        for cut in under_way:
            cut.finish(position)
    except BaseException:
        for cut in under_way:
            cut.close()
        raise
    return position, begun


def _as_cuts(
    recording: Recording, spans: Iterable[Span], info: AudioInfo, form: AudioForm
) -> Iterator[Cut]:
    sample_rate = info.sample_rate
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
            info=info,
            form=form,
        )
