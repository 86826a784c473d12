"""Mono and resampling, of soxr's high quality."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import soxr

from wavemill.audio.stream import AudioStream
from wavemill.errors import RejectedError
from wavemill.records import UNSUPPORTED

Samples = npt.NDArray[np.float32]


def to_mono(audio: Samples) -> Samples:
    """Average the channels: [N, C] to [N]."""
    if audio.ndim == 1:
        return audio
    if audio.shape[1] == 1:
        return np.ascontiguousarray(audio[:, 0])
    mono: Samples = audio.mean(axis=1, dtype=np.float32)
    return mono


def pick_channels(audio: Samples, channels: Sequence[int]) -> Samples:
    """Take some channels of [N, C] by their positions; none named are all.

    Raises:
        RejectedError: there is no such channel.

    """
    _check_channels(channels, audio.shape[1])
    return audio[:, list(channels)] if channels else audio


def _check_channels(channels: Sequence[int], num_channels: int) -> None:
    if channels and max(channels) >= num_channels:
        words = f"the row wants channel {max(channels)}, the file has {num_channels}"
        raise RejectedError(UNSUPPORTED, words)


def resample(audio: Samples, from_hz: int, to_hz: int) -> Samples:
    """Resample [N] or [N, C]; at least one sample comes out."""
    if from_hz == to_hz:
        return audio
    out: Samples = soxr.resample(audio, from_hz, to_hz, quality="HQ")
    return out if len(out) else np.zeros((1, *audio.shape[1:]), np.float32)


class StreamResampler:
    """Resamples mono audio that arrives in blocks, as if it had come in one piece."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Resample from one rate to another, both in Hz."""
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: Samples) -> Samples:
        """Take a block [N] and return what is ready, [M]."""
        return self._resample(block, last=False)

    def finish(self) -> Samples:
        """Return the rest, [M]."""
        return self._resample(np.zeros(0, np.float32), last=True)

    def _resample(self, block: Samples, *, last: bool) -> Samples:
        if self._stream is None:
            return block
        out: Samples = self._stream.resample_chunk(block, last=last)
        return out


def mono_blocks(
    stream: AudioStream,
    to_hz: int,
    *,
    start_seconds: float = 0.0,
    limit_seconds: float | None = None,
    channels: Sequence[int] = (),
) -> Iterator[Samples]:
    """Yield an open file's audio, or a window of it, as mono blocks [N] at another rate.

    `channels` picks those that are averaged; none named are all.

    Raises:
        RejectedError: there is no such channel, or the audio is broken.

    """
    rate = stream.info.sample_rate
    _check_channels(channels, stream.info.num_channels)
    resampler = StreamResampler(rate, to_hz)
    begin = round(start_seconds * rate)
    end = None if limit_seconds is None else begin + round(limit_seconds * rate)
    position = 0
    for block in stream.blocks():
        low = max(0, begin - position)
        high = len(block) if end is None else max(0, end - position)
        position += len(block)
        part = block[low:high]
        if len(part):
            yield resampler.push(to_mono(pick_channels(part, channels)))
    yield resampler.finish()
