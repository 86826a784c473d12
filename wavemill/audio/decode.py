"""Decode audio block by block: libsndfile first, FFmpeg (through PyAV) for what it cannot read.

Both are read as streams, so that memory is bounded by a block, whatever a header claims.
"""

import contextlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
import numpy.typing as npt
import soundfile

from wavemill import storage
from wavemill.audio.containers import check_whole, is_mp3_without_length, measure
from wavemill.errors import RejectedError
from wavemill.records import (
    EMPTY,
    MISSING_FILE,
    NON_FINITE,
    TRUNCATED,
    UNDECODABLE,
    UNREADABLE,
    UNSUPPORTED,
    Recording,
)

BLOCK_SAMPLES = 1 << 17
SAMPLE_RATES = (1_000, 655_350)  # the upper end is FLAC's
MAX_CHANNELS = 8  # FLAC's
DEEP_SUBTYPES = {"PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_24", "ALAC_32"}
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

Block = npt.NDArray[np.float32]
"""Samples, [N, C] float32 in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What an audio file holds."""

    sample_rate: int
    num_channels: int
    bit_depth: int
    """16 or 24: what it takes to store the samples without loss (lossy codecs: 16)."""


class AudioStream(Protocol):
    """An open audio file."""

    info: AudioInfo

    def blocks(self) -> Iterator[Block]:
        """Yield all samples in order, once.

        Raises:
            RejectedError: the audio is empty, broken, cut short or not finite.

        """
        ...


@contextlib.contextmanager
def open_audio(
    url: str, *, byte_offset: int = 0, num_bytes: int | None = None
) -> Iterator[AudioStream]:
    """Open an audio file, or `num_bytes` of a file from `byte_offset` on (a tar's member).

    Raises:
        RejectedError: the file is missing, unreadable, empty, truncated or no audio.

    """
    with _open_bytes(url, byte_offset, num_bytes) as file:
        size = measure(file)
        if size == 0:
            raise RejectedError(EMPTY, "the file has no bytes")
        check_whole(file, size)
        with _open_decoder(file, url) as stream:
            _check_info(stream.info)
            yield stream


def open_recording(recording: Recording) -> AbstractContextManager[AudioStream]:
    """Open the file, or the member of a tar, that a recording lies in; see `open_audio`."""
    length = recording.num_bytes if recording.member else None
    return open_audio(recording.url, byte_offset=recording.byte_offset, num_bytes=length)


@contextlib.contextmanager
def _open_bytes(url: str, byte_offset: int, num_bytes: int | None) -> Iterator[BinaryIO]:
    try:
        with storage.open_read(url) as file:
            if num_bytes is None:
                yield file
                return
            file.seek(byte_offset)
            member = file.read(num_bytes)
            if len(member) < num_bytes:
                raise RejectedError(TRUNCATED, f"{url} ends within the member")
            yield io.BytesIO(member)
    except FileNotFoundError as error:
        raise RejectedError(MISSING_FILE, f"no such file: {url}") from error
    except OSError as error:
        raise RejectedError(UNREADABLE, f"cannot read {url}: {error}") from error


@contextlib.contextmanager
def _open_decoder(file: BinaryIO, url: str) -> Iterator[AudioStream]:
    to_ffmpeg = is_mp3_without_length(file)
    words = "an MP3 that states no length"
    with contextlib.ExitStack() as stack:
        try:
            sound = stack.enter_context(soundfile.SoundFile(file))
            to_ffmpeg = to_ffmpeg and sound.format == "MP3"
        except (soundfile.LibsndfileError, ValueError, OverflowError) as error:
            to_ffmpeg, words = True, str(error)
        if to_ffmpeg:
            file.seek(0)
            yield _open_ffmpeg(stack, file, url, words)
        else:
            yield SndfileStream(sound)


def _open_ffmpeg(
    stack: contextlib.ExitStack, file: BinaryIO, url: str, first_error: str
) -> AudioStream:
    first_bytes = file.read(3)
    file.seek(0)
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
        return FfmpegStream(container)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        words = f"libsndfile: {_libsndfile_words(first_error)}; FFmpeg: {error}"
        raise RejectedError(UNDECODABLE, f"not audio that can be decoded ({words})") from error


def _libsndfile_words(error: str) -> str:
    """Keep the reason of "Error opening <_io.BufferedReader ...>: reason"."""
    return error.rsplit(">: ", 1)[-1].rstrip(".")


def _check_info(info: AudioInfo) -> None:
    low, high = SAMPLE_RATES
    if not low <= info.sample_rate <= high:
        raise RejectedError(
            UNSUPPORTED, f"a sample rate of {info.sample_rate} Hz is outside {low} to {high} Hz"
        )
    if not 1 <= info.num_channels <= MAX_CHANNELS:
        raise RejectedError(
            UNSUPPORTED, f"{info.num_channels} channels; at most {MAX_CHANNELS} can be stored"
        )


def _check_block(block: Block) -> Block:
    # The sum is finite only if every sample is: one pass, and no array of booleans.
    if not np.isfinite(block.sum(dtype=np.float64)):
        raise RejectedError(NON_FINITE, "the audio holds NaN or infinite samples")
    return block


class SndfileStream:
    """An open file that libsndfile reads."""

    def __init__(self, file: Any) -> None:
        """Take an open `soundfile.SoundFile`."""
        self._file = file
        self.info = AudioInfo(
            sample_rate=file.samplerate,
            num_channels=file.channels,
            bit_depth=24 if file.subtype in DEEP_SUBTYPES else 16,
        )

    def blocks(self) -> Iterator[Block]:
        """Yield all samples; see `AudioStream.blocks`."""
        total = 0
        frames = BLOCK_SAMPLES // self.info.num_channels
        try:
            while len(block := self._file.read(frames, dtype="float32", always_2d=True)):
                total += len(block)
                yield _check_block(block)
        except soundfile.LibsndfileError as error:
            raise RejectedError(UNDECODABLE, f"corrupt after {total} samples: {error}") from error
        if total == 0:
            raise RejectedError(EMPTY, "the file holds no samples")
        if total < self._file.frames:
            stated = self._file.frames
            raise RejectedError(
                TRUNCATED, f"the header states {stated} samples, {total} can be decoded"
            )


class FfmpegStream:
    """An open file that FFmpeg reads."""

    def __init__(self, container: Any) -> None:
        """Take an open `av` container with an audio stream."""
        self._container = container
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
        try:
            for block in self._decode():
                total += len(block)
                yield _check_block(block)
        except (av.error.FFmpegError, ValueError) as error:
            raise RejectedError(UNDECODABLE, f"corrupt after {total} samples: {error}") from error
        if total == 0:
            raise RejectedError(EMPTY, "the file holds no samples")
        self._check_length(total / self.info.sample_rate)

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
                yield np.ascontiguousarray(out.to_ndarray().T)
        for out in to_float.resample(None):
            yield np.ascontiguousarray(out.to_ndarray().T)

    def _check_length(self, decoded_seconds: float) -> None:
        stated = self._container.duration
        if stated is None or self._container.format.name in GUESSED_LENGTH:
            return
        seconds = stated / av.time_base
        if decoded_seconds < seconds - max(0.5, 0.05 * seconds):
            raise RejectedError(
                TRUNCATED, f"the header states {seconds:.2f} s, {decoded_seconds:.2f} s decode"
            )
