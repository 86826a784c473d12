"""What a container's header says of its own length, held against the bytes that are there.

Decoders read a file that was cut short without a word: libsndfile trims a WAV's length to what it
finds, and an Ogg or MP3 stream just ends. A corpus must not take half an utterance for a whole one,
so the few bytes that state a length are read here first.
"""

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

from wavemill.errors import RejectedError
from wavemill.records import TRUNCATED

HEAD_BYTES = 8192
TAIL_BYTES = 65536 + 512  # an Ogg page is at most 65,307 bytes
STREAMED = 0x7FFF0000
"""A RIFF size from here on means "unknown": what ffmpeg and sox write into a pipe."""


def check_whole(file: BinaryIO, size: int) -> None:
    """Compare a file's stated and true sizes and rewind it.

    Args:
        file: seekable, `size` bytes long.
        size: in bytes.

    Raises:
        RejectedError: `truncated`, when the file ends before its header says.

    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    try:
        for magic, position, check in _CHECKS:
            if head[position : position + len(magic)] == magic:
                check(file, head, size)
                break
        else:
            if _is_mpeg_audio(head):
                _check_mp3(file, head, size)
    except (struct.error, IndexError) as error:
        words = f"the file of {size} bytes ends within its header; fetch it again"
        raise RejectedError(TRUNCATED, words) from error
    file.seek(0)


def _truncated(stated: int, size: int) -> RejectedError:
    return RejectedError(
        TRUNCATED, f"the header states {stated} bytes, the file has {size}; fetch it again"
    )


def _check_riff(_: BinaryIO, head: bytes, size: int) -> None:
    order = ">" if head[:4] == b"FORM" else "<"
    stated = int(struct.unpack(f"{order}I", head[4:8])[0]) + 8
    # One byte less is a writer's forgotten pad byte, not a loss.
    if stated < STREAMED and stated > size + 1:
        raise _truncated(stated, size)


def _check_riff_64(_: BinaryIO, head: bytes, size: int) -> None:
    """RF64 states its size in its first chunk, W64 after a GUID of 16 bytes."""
    is_w64 = head[:4] == b"riff"
    stated = struct.unpack("<Q", head[16:24] if is_w64 else head[20:28])[0] + (0 if is_w64 else 8)
    if stated > size + 1:
        raise _truncated(stated, size)


def _check_au(_: BinaryIO, head: bytes, size: int) -> None:
    start, length = struct.unpack(">II", head[4:12])
    if length < STREAMED and start + length > size:
        raise _truncated(start + length, size)


def _check_caf(file: BinaryIO, _: bytes, size: int) -> None:
    """Walk the chunks; a data chunk may have the length -1, which means to the end."""
    position = 8
    while position + 12 <= size:
        file.seek(position)
        length = struct.unpack(">4sq", file.read(12))[1]
        if length < 0:
            return
        position += 12 + length
    if position > size:
        raise _truncated(position, size)


def _check_ogg(file: BinaryIO, _: bytes, size: int) -> None:
    """Require the last page to be whole and to bear the end-of-stream flag."""
    start = max(0, size - TAIL_BYTES)
    file.seek(start)
    tail = file.read(TAIL_BYTES)
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27]
    if page < 0 or len(header) < 27:
        raise RejectedError(TRUNCATED, "the Ogg stream ends within a page; fetch it again")
    lacing = tail[page + 27 : page + 27 + header[26]]
    end = start + page + 27 + header[26] + sum(lacing)
    if len(lacing) < header[26] or end > size:
        raise _truncated(end, size)
    if not header[5] & 4:
        raise RejectedError(TRUNCATED, "the Ogg stream has no last page; fetch it again")


def _check_mp4(file: BinaryIO, _: bytes, size: int) -> None:
    """Walk the top-level boxes; the last must end where the file does."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        if length == 0:  # to the end of the file
            return
        if length < 8 or not kind.isascii():
            return  # trailing bytes that are no box; the decoder will say
        position += length
    if position > size:
        raise _truncated(position, size)


def _is_mpeg_audio(head: bytes) -> bool:
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


def is_mp3_without_length(file: BinaryIO) -> bool:
    """Say whether a file looks like an MP3 whose first frame does not count the frames; rewind it.

    libsndfile then guesses how long it is, and reads no further than that.
    """
    head = file.read(HEAD_BYTES)
    xing = _find_xing(file, head)[1] if _is_mpeg_audio(head) else b"Xing\0\0\0\1"
    file.seek(0)
    return len(xing) < 8 or not xing[7] & 1


def _find_xing(file: BinaryIO, head: bytes) -> tuple[int, bytes]:
    """Return where the first frame begins, and its Xing or Info header as far as it goes."""
    start = 0
    if head[:3] == b"ID3":
        tag = head[6:10]
        start = 10 + (tag[0] << 21 | tag[1] << 14 | tag[2] << 7 | tag[3])
        file.seek(start)
        head = file.read(HEAD_BYTES)
    found = max(head.find(b"Xing", 0, 256), head.find(b"Info", 0, 256))
    return start, head[found : found + 16] if found >= 0 else b""


def _check_mp3(file: BinaryIO, head: bytes, size: int) -> None:
    """Compare the byte count of a Xing or Info header, which encoders write into frame one."""
    start, xing = _find_xing(file, head)
    if len(xing) < 16:
        return
    flags, frames_or_bytes, second = struct.unpack(">III", xing[4:])
    if not flags & 2:
        return
    stated = start + (second if flags & 1 else frames_or_bytes)
    if stated > size:
        raise _truncated(stated, size)


_CHECKS: tuple[tuple[bytes, int, Callable[[BinaryIO, bytes, int], None]], ...] = (
    (b"RIFF", 0, _check_riff),
    (b"FORM", 0, _check_riff),
    (b"RF64", 0, _check_riff_64),
    (b"riff", 0, _check_riff_64),
    (b".snd", 0, _check_au),
    (b"caff", 0, _check_caf),
    (b"OggS", 0, _check_ogg),
    (b"ftyp", 4, _check_mp4),
)


def measure(file: BinaryIO) -> int:
    """Return a seekable file's size in bytes and rewind it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size
