"""What FFmpeg (through PyAV) reads."""

import contextlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np

from wavemill.audio.mpeg import FRAME_SAMPLES, read_stated
from wavemill.audio.stream import (
    BLOCK_SAMPLES,
    AudioInfo,
    AudioStream,
    Block,
    check_block,
    cut_short,
    too_long,
)
from wavemill.errors import RejectedError
from wavemill.records import EMPTY, TRUNCATED, UNDECODABLE

DEEP_FORMATS = {"s32", "s32p", "dbl", "dblp"}

FFMPEG_FORMATS = {
    "3gp", "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "flac", "flv", "g722",
    "m4a", "matroska", "mov", "mp3", "mp4", "mpegts", "nistsphere", "ogg", "tta", "w64", "wav",
    "webm", "wv",
}  # fmt: skip
"""FFmpeg also knows formats that hold nearly any bytes; what is not listed is refused."""
NEED_SYNC = {"aac": b"\xff", "ac3": b"\x0b", "mp3": b"\xff"}
"""Formats that FFmpeg guesses from weak evidence: the first byte (or an ID3 tag) must agree."""
GUESSED_LENGTH = {"aac", "ac3", "amr", "mp3"}
"""Formats without a stated length; FFmpeg's is the file's size over its first frames' bit rate."""


def open_ffmpeg(
    stack: contextlib.ExitStack, file: BinaryIO, url: str, first_error: str
) -> AudioStream:
    """Open a file that libsndfile does not read, for which `first_error` says why.

    Raises:
        RejectedError: it is no audio.

    """
    first_bytes = file.read(3)
    stated = read_stated(file).num_samples
    forced = "g722" if url.lower().endswith(".g722") else None
    try:
        container = stack.enter_context(av.open(file, format=forced, metadata_errors="replace"))
        names = set(container.format.name.split(","))
        sync = NEED_SYNC.get(container.format.name, b"")
        if not names & FFMPEG_FORMATS or not first_bytes.startswith((sync, b"ID3")):
            raise RejectedError(UNDECODABLE, f"not audio ({_libsndfile_words(first_error)})")
        if not container.streams.audio:
            raise RejectedError(UNDECODABLE, f"no audio stream in this {container.format.name}")
        if container.streams.audio[0].codec_context is None:
            raise RejectedError(UNDECODABLE, f"a {container.format.name} with an unknown codec")
        return FfmpegStream(container, stated if "mp3" in names else None)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        words = f"libsndfile: {_libsndfile_words(first_error)}; FFmpeg: {error}"
        raise RejectedError(UNDECODABLE, f"not audio that can be decoded ({words})") from error


def _libsndfile_words(error: str) -> str:
    """Keep the reason of "Error opening <_io.BufferedReader ...>: reason"."""
    return error.rsplit(">: ", 1)[-1].rstrip(".")


class FfmpegStream:
    """An open file that FFmpeg reads."""

    def __init__(self, container: Any, stated: int | None = None) -> None:
        """Take an open `av` container with an audio stream; an MP3 may have stated its samples."""
        self._container = container
        self._stated = stated
        self._stream = container.streams.audio[0]
        context = self._stream.codec_context
        self.info = AudioInfo(
            sample_rate=context.sample_rate or 0,
            num_channels=context.channels or 0,
            bit_depth=24 if context.format and context.format.name in DEEP_FORMATS else 16,
        )

    def blocks(self) -> Iterator[Block]:
        """Yield all samples; see `AudioStream.blocks`."""
        total = 0
        for block in _gather(self._stated_part(self._decode()), self.info.num_channels):
            total += len(block)
            yield check_block(block)
        if total == 0:
            raise RejectedError(EMPTY, "the file holds no samples")
        self._check_length(total)

    def _stated_part(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Leave out what an MP3 does not count: the encoder's padding, and tags at its end."""
        total, stated = 0, self._stated
        try:
            for block in blocks:
                yield block if stated is None else block[: max(0, stated - total)]
                total += len(block)
                if stated is not None and total > stated + 2 * FRAME_SAMPLES:
                    raise too_long(stated)
        except (av.error.FFmpegError, ValueError) as error:
            if stated is None or total < stated:
                words = f"corrupt after {total} samples: {error}"
                raise RejectedError(UNDECODABLE, words) from error

    def _decode(self) -> Iterator[Block]:
        context = self._stream.codec_context
        to_float = av.AudioResampler(
            format="fltp", layout=context.layout, rate=self.info.sample_rate
        )
        first = None
        for frame in self._container.decode(self._stream):
            form = (frame.sample_rate, frame.layout.nb_channels)
            first = first or form
            if form != first:
                words = f"it goes from {first[0]} Hz x {first[1]} to {form[0]} Hz x {form[1]}"
                raise RejectedError(UNDECODABLE, words)
            for out in to_float.resample(frame):
                yield np.asarray(out.to_ndarray().T, np.float32)
        for out in to_float.resample(None):
            yield np.asarray(out.to_ndarray().T, np.float32)

    def _check_length(self, total: int) -> None:
        # Some encoders count the frame that holds the count.
        if self._stated is not None and total < self._stated - FRAME_SAMPLES:
            raise cut_short(self._stated, total)
        duration = self._container.duration
        if duration is None or self._container.format.name in GUESSED_LENGTH:
            return
        stated = duration / av.time_base
        seconds = total / self.info.sample_rate
        if seconds < stated - max(0.5, 0.05 * stated):
            raise RejectedError(
                TRUNCATED, f"the header states {stated:.2f} s, {seconds:.2f} s decode"
            )


def _gather(blocks: Iterator[Block], num_channels: int) -> Iterator[Block]:
    """Join blocks to about `BLOCK_SAMPLES`: a codec's own are too short for numpy to be quick."""
    waiting: list[Block] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block) * num_channels
        if size >= BLOCK_SAMPLES:
            yield _join(waiting)
            waiting, size = [], 0
    if size:
        yield _join(waiting)


def _join(blocks: list[Block]) -> Block:
    # FFmpeg's arrays are channel after channel; this one is frame after frame.
    joined = np.empty((sum(map(len, blocks)), blocks[0].shape[1]), np.float32)
    return np.concatenate(blocks, out=joined)
