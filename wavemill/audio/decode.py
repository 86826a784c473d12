"""Decode audio block by block: libsndfile first, FFmpeg (through PyAV) for what it cannot read.

Both are read as streams, so that memory is bounded by a block, whatever a header claims. MPEG audio
is FFmpeg's alone: libmpg123, which libsndfile reads it with, writes its complaints to the user's
terminal, and guesses how long an MP3 is that does not say so.
"""

import contextlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

import soundfile

from wavemill import storage
from wavemill.audio.containers import check_whole, measure
from wavemill.audio.ffmpeg import open_ffmpeg
from wavemill.audio.mpeg import is_mpeg_audio
from wavemill.audio.sndfile import open_sndfile
from wavemill.audio.stream import AudioInfo, AudioStream
from wavemill.errors import JobError, RejectedError
from wavemill.records import (
    EMPTY,
    MISSING_FILE,
    TRUNCATED,
    UNREADABLE,
    UNSUPPORTED,
    Recording,
)

SAMPLE_RATES = (1_000, 655_350)  # the upper end is FLAC's
MAX_CHANNELS = 8  # FLAC's


@contextlib.contextmanager
def open_audio(
    url: str, *, byte_offset: int = 0, num_bytes: int | None = None
) -> Iterator[AudioStream]:
    """Open an audio file, or `num_bytes` of a file from `byte_offset` on (a tar's member).

    Raises:
        RejectedError: the file is missing, unreadable, empty, truncated or no audio.
        JobError: the disk is gone, or the machine has nothing left to open a file with.

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
def open_flac(data: bytes | memoryview) -> Iterator[AudioStream]:
    """Open FLAC that we encoded."""
    with contextlib.ExitStack() as stack:
        yield open_sndfile(stack, io.BytesIO(data))


@contextlib.contextmanager
def _open_bytes(url: str, byte_offset: int, num_bytes: int | None) -> Iterator[BinaryIO]:
    try:
        with storage.open_read(url) as file:
            if num_bytes is None:
                yield file
                return
            try:
                file.seek(byte_offset)
                member = file.read(num_bytes)
            except ValueError as error:  # fsspec's, of a server that gives no ranges
                raise RejectedError(UNREADABLE, f"cannot read {url}: {error}") from error
            if len(member) < num_bytes:
                raise RejectedError(TRUNCATED, f"{url} ends within the member")
            yield io.BytesIO(member)
    except FileNotFoundError as error:
        raise RejectedError(MISSING_FILE, f"no such file: {url}") from error
    except OSError as error:
        if storage.is_local(url) and not storage.is_of_the_file(storage.local_path(url), error):
            # A reject would be kept, and outlast the fault.
            words = f"cannot read {url}: {error.strerror or error}"
            raise JobError(f"{words}; {storage.remedy(error)}") from error
        raise RejectedError(UNREADABLE, f"cannot read {url}: {error}") from error


@contextlib.contextmanager
def _open_decoder(file: BinaryIO, url: str) -> Iterator[AudioStream]:
    with contextlib.ExitStack() as stack:
        if is_mpeg_audio(file):
            yield open_ffmpeg(stack, file, url, "it begins like MPEG audio")
            return
        try:
            stream = open_sndfile(stack, file)
        except (soundfile.LibsndfileError, ValueError, OverflowError) as error:
            file.seek(0)
            yield open_ffmpeg(stack, file, url, str(error))
        else:
            yield stream


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
