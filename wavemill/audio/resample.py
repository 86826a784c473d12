"""Channels, mono and resampling, of soxr's high quality."""

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
    if not channels:
        return audio
    if max(channels) >= audio.shape[1]:
        words = f"the row wants channel {max(channels)}, the file has {audio.shape[1]}"
        raise RejectedError(UNSUPPORTED, words)
    return audio[:, list(channels)]


def resample(audio: Samples, from_hz: int, to_hz: int) -> Samples:
    """Resample [N] or [N, C]; at least one sample comes out."""
    if from_hz == to_hz:
        return audio
    out: Samples = soxr.resample(audio, from_hz, to_hz, quality="HQ")
    return out if len(out) else np.zeros((1, *audio.shape[1:]), np.float32)


class StreamResampler:
    """Resamples audio that comes in blocks, bit for bit as `resample` does in one piece."""

    def __init__(self, from_hz: int, to_hz: int, num_channels: int | None = None) -> None:
        """Resample from one rate in Hz to another: blocks [N, C], or [N] without `num_channels`."""
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, num_channels or 1, "float32", "HQ")
        )
        self._frame_shape = () if num_channels is None else (num_channels,)
        self._num_in = self._num_out = 0

    def push(self, block: Samples) -> Samples:
        """Take a block and return what is ready."""
        return self._resample(block, last=False)

    def finish(self) -> Samples:
        """Return the rest."""
        out = self._resample(np.zeros((0, *self._frame_shape), np.float32), last=True)
        is_lost = self._num_in and not self._num_out
        return np.zeros((1, *self._frame_shape), np.float32) if is_lost else out

    def _resample(self, block: Samples, *, last: bool) -> Samples:
        if self._stream is None:
            return block
        out: Samples = self._stream.resample_chunk(block, last)
        self._num_in += len(block)
        self._num_out += len(out)
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
