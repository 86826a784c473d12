"""What libsndfile reads."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import soundfile

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
from wavemill.records import EMPTY, UNDECODABLE

DEEP_SUBTYPES = {"PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_24", "ALAC_32"}
UNKNOWN_LENGTH = (1 << 63) - 1
"""What libsndfile states of a file that does not state its length."""


def open_sndfile(stack: contextlib.ExitStack, file: Any) -> AudioStream:
    """Open a binary file that can seek.

    Raises:
        soundfile.LibsndfileError: it is nothing that libsndfile reads.
        OSError: it cannot be read.

    """
    source = Source(file)
    try:
        opened = stack.enter_context(ForwardFile(source))
        if opened.format == "OGG":
            # Where the first page does not count from 0, libsndfile skips Opus' pre-skip only so.
            opened.seek(0)
        return SndfileStream(opened, source)
    finally:
        source.check()


class Source:
    """What libsndfile reads from.

    It calls from C, where an error cannot be raised: Python would print it to the user's terminal
    and go on. So errors are kept, and raised by `check`.
    """

    def __init__(self, file: Any) -> None:
        """Read from a binary file."""
        self._file = file
        self._error: Exception | None = None
        self._place = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; where there is none, as a damaged header may want it, stay."""
        with contextlib.suppress(OSError, ValueError):
            self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """Return the place; that where a read failed, whose file may not know its own."""
        with contextlib.suppress(OSError, ValueError):
            self._place = int(self._file.tell())
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; return how far."""
        try:
            return int(self._file.readinto(buffer))
        except ValueError as error:  # of a server that gives no ranges
            self._error = OSError(str(error))
        except Exception as error:  # noqa: BLE001 - `check` raises it
            self._error = error
        return 0

    def check(self) -> None:
        """Raise the error that reading ended with, if there was one."""
        if self._error:
            raise self._error


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that libsndfile reads from its beginning to its end.

    `SoundFile` seeks after every read where it can. That breaks the decoders of lossy formats off
    (of a damaged Ogg they then read a part twice), and it hides what lies beyond the stated end.
    """

    def seekable(self) -> bool:
        """Say no, whatever the file is."""
        return False


class SndfileStream:
    """An open file that libsndfile reads."""

    def __init__(self, file: ForwardFile, source: Source) -> None:
        """Take an open file, and what it reads from."""
        self._file = file
        self._source = source
        self.info = AudioInfo(
            sample_rate=file.samplerate,
            num_channels=file.channels,
            bit_depth=24 if file.subtype in DEEP_SUBTYPES else 16,
        )

    def blocks(self) -> Iterator[Block]:
        """Yield all samples; see `AudioStream.blocks`."""
        total, stated = 0, self._file.frames
        try:
            for block in self._read():
                total += len(block)
                if total > stated:
                    raise too_long(stated)
                yield check_block(block)
        except soundfile.LibsndfileError as error:
            raise RejectedError(UNDECODABLE, f"corrupt after {total} samples: {error}") from error
        if total == 0:
            raise RejectedError(EMPTY, "the file holds no samples")
        if total < stated < UNKNOWN_LENGTH:
            raise cut_short(stated, total)

    def _read(self) -> Iterator[Block]:
        """Read up to the first block that is not full: what comes after a gap is not to be had."""
        frames = BLOCK_SAMPLES // self.info.num_channels
        full = True
        while full:
            block = self._file.read(frames, dtype="float32", always_2d=True)
            self._source.check()
            full = len(block) == frames
            if len(block):
                yield block
