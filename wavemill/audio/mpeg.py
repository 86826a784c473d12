"""What an MPEG audio file (MP3, or AAC in frames of its own) says of itself before its first frame.

An MP3 has no header of its own. Encoders put a Xing or Info header into a first frame of silence:
how many frames and bytes follow, and in a LAME tag behind it how much of both ends is padding.
"""

from dataclasses import dataclass
from typing import BinaryIO

HEAD_BYTES = 8192
FRAME_SAMPLES = 1152
"""Of MPEG-1; the lower sample rates of MPEG-2 have frames of half as many."""
PADDING_TAGS = {b"LAME", b"Lavf", b"Lavc"}


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What a first frame says."""

    num_samples: int | None = None
    """Without the encoder's padding, if that is stated too."""
    end_bytes: int | None = None
    """Where the last frame ends."""


def is_mpeg_audio(file: BinaryIO) -> bool:
    """Say whether a file begins like MPEG audio; rewind it."""
    start, head = _skip_tags(file)
    file.seek(0)
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    # FLAC may follow an ID3 tag too; of what else may, FFmpeg tells more than libsndfile.
    return is_frame or (start > 0 and head[:4] != b"fLaC")


def read_stated(file: BinaryIO) -> Stated:
    """Read the Xing or Info header of a file that may be an MP3; rewind it."""
    start, head = _skip_tags(file)
    file.seek(0)
    found = max(head.find(b"Xing", 0, 256), head.find(b"Info", 0, 256))
    if found < 0:
        return Stated()
    xing = head[found:]
    flags = int.from_bytes(xing[4:8], "big")
    # The header's fields, of which each is there if its bit is set.
    places, end = [], 8
    for bit, size in enumerate((4, 4, 100, 4)):
        places.append(xing[end : end + size] if flags >> bit & 1 else b"")
        end += len(places[-1])
    frames, num_bytes = places[:2]
    samples = int.from_bytes(frames, "big") * (FRAME_SAMPLES if head[1] & 8 else FRAME_SAMPLES // 2)
    return Stated(
        num_samples=samples - _padding(xing[end:]) if any(frames) else None,
        end_bytes=start + int.from_bytes(num_bytes, "big") if num_bytes else None,
    )


def _padding(lame: bytes) -> int:
    """Return how many samples a LAME tag says are not the source's: 12 bits for each end."""
    if lame[:4] not in PADDING_TAGS:
        return 0
    both = int.from_bytes(lame[21:24], "big")
    return (both >> 12) + (both & 0xFFF)


def _skip_tags(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the ID3 tags at the beginning end, and what follows them."""
    start = 0
    file.seek(0)
    while (head := file.read(HEAD_BYTES))[:3] == b"ID3":
        tag = head[6:10]
        start += 10 + (tag[0] << 21 | tag[1] << 14 | tag[2] << 7 | tag[3])
        file.seek(start)
    return start, head
