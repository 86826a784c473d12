"""What a container's header says of its own length, held against the bytes that are there.

Decoders read a file that was cut short without a word: libsndfile trims a WAV's length to what it
finds, and an Ogg or MP3 stream just ends. A corpus must not take half an utterance for a whole one,
so the few bytes that state a length are read here first. Of Ogg it is all bytes: its pages have
checksums, and decoders skip those that are wrong.
"""

import io
import struct
import zlib
from collections.abc import Callable
from typing import BinaryIO

from wavemill.audio.mpeg import is_mpeg_audio, read_stated
from wavemill.errors import RejectedError
from wavemill.records import TRUNCATED, UNDECODABLE

HEAD_BYTES = 8192
OGG_HEADER_BYTES = 27
STREAMED = 0x7FFF0000
"""A RIFF size from here on means "unknown": what ffmpeg and sox write into a pipe."""


def check_whole(file: BinaryIO, size: int) -> None:
    """Compare a file's stated and true sizes, and Ogg's checksums; rewind it.

    Args:
        file: seekable, `size` bytes long.
        size: in bytes.

    Raises:
        RejectedError: `truncated`, when the file ends before its header says; `undecodable`, when
            a page of an Ogg file is damaged.

    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    try:
        for magic, position, check in _CHECKS:
            if head[position : position + len(magic)] == magic:
                check(file, head, size)
                break
        else:
            if is_mpeg_audio(file):
                _check_mp3(file, size)
    except (struct.error, IndexError) as error:
        words = f"the file of {size} bytes ends within its header; fetch it again"
        raise RejectedError(TRUNCATED, words) from error
    file.seek(0)


def _truncated(stated: int, size: int) -> RejectedError:
    return RejectedError(
        TRUNCATED, f"the header states {stated} bytes, the file has {size}; fetch it again"
    )


def _check_riff(file: BinaryIO, head: bytes, size: int) -> None:
    order = ">" if head[:4] == b"FORM" else "<"
    stated = int(struct.unpack(f"{order}I", head[4:8])[0]) + 8
    # One byte less is a writer's forgotten pad byte, not a loss.
    if stated < STREAMED and stated > size + 1:
        raise _truncated(stated, size)
    end = _end_of_data(file, order, size)
    if end > size + 1:
        raise _truncated(end, size)


def _end_of_data(file: BinaryIO, order: str, size: int) -> int:
    """Walk the chunks to the samples; return where they end, 0 where that is not stated."""
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name in (b"data", b"SSND"):
            return 0 if length >= STREAMED else position + 8 + length
        position += 8 + length + length % 2
    return 0


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
    """Require every page to be whole and undamaged, and the last to bear the end-of-stream flag.

    Decoders leave out a damaged page, and what lay in it, without a word.
    """
    position, flags = 0, 0
    file.seek(0)
    while (header := file.read(OGG_HEADER_BYTES))[:4] == b"OggS":
        lacing = file.read(header[26])
        body = file.read(sum(lacing))
        if len(lacing) < header[26] or len(body) < sum(lacing):
            raise _truncated(position + OGG_HEADER_BYTES + header[26] + sum(lacing), size)
        if _ogg_checksum(header, lacing, body) != header[22:26]:
            raise RejectedError(UNDECODABLE, f"the Ogg page at byte {position} is damaged")
        position, flags = file.tell(), header[5]
    if flags & 4:  # what comes after the last page are tags of other formats
        return
    if not b"OggS".startswith(header):
        raise RejectedError(UNDECODABLE, f"byte {position} of the Ogg stream begins no page")
    raise RejectedError(TRUNCATED, "the Ogg stream has no last page; fetch it again")


_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(header: bytes, lacing: bytes, body: bytes) -> bytes:
    """Compute a page's checksum: zlib's, with the bits the other way round and none inverted."""
    page = header[:22] + bytes(4) + header[26:] + lacing + body
    checksum = zlib.crc32(page.translate(_BITS_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return checksum.to_bytes(4, "big").translate(_BITS_REVERSED)


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


def _check_mp3(file: BinaryIO, size: int) -> None:
    stated = read_stated(file).end_bytes
    if stated is not None and stated > size:
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
