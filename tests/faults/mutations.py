"""Audio files that something happened to: torn, overwritten, or with a header that lies."""

import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.audio.audio_files import ffmpeg_bytes, sndfile_bytes, speech

ABSURD = (0, 1, 2, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 4_000_000_000, 0xFFFFFFFE,
          0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip
"""Sizes, rates, channels and durations that no file has; each cut to its field's width."""
HEAD_BYTES = 200

Field = tuple[int, int, str]
"""Where a number lies in a file: its offset, its bytes, and their order."""


@dataclass(frozen=True)
class Base:
    """A good file that others are made of."""

    suffix: str
    data: bytes
    fields: Callable[[bytes], Iterator[Field]]


def bases() -> list[Base]:
    """Encode a second of speech in every way that is mutated."""
    one, rate = speech()
    two, _ = speech(2)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x"
        aac = ffmpeg_bytes(one, rate, "aac", "ipod", place)
        first = ffmpeg_bytes(two, rate, "aac", "ipod", place, "movflags=faststart")
        alac = ffmpeg_bytes(one, rate, "alac", "ipod", place)
        mp3 = ffmpeg_bytes(two, rate, "libmp3lame", "mp3", place)
        opus = ffmpeg_bytes(two, rate, "libopus", "ogg", place)
    return [
        Base(".wav", sndfile_bytes(two, rate, "WAV", "PCM_16"), _riff_fields),
        Base(".wav", sndfile_bytes(one, rate, "WAV", "FLOAT"), _riff_fields),
        Base(".wav", sndfile_bytes(one, rate, "WAV", "IMA_ADPCM"), _riff_fields),
        Base(".flac", sndfile_bytes(one, rate, "FLAC", "PCM_16"), _flac_fields),
        Base(".flac", sndfile_bytes(two, rate, "FLAC", "PCM_24"), _flac_fields),
        Base(".ogg", sndfile_bytes(one, rate, "OGG", "VORBIS"), _ogg_fields),
        Base(".ogg", sndfile_bytes(one, rate, "OGG", "OPUS"), _ogg_fields),
        Base(".ogg", opus, _ogg_fields),
        Base(".mp3", sndfile_bytes(one, rate, "MP3", "MPEG_LAYER_III"), _head_fields),
        Base(".mp3", mp3, _head_fields),
        Base(".m4a", aac, _mp4_fields),
        Base(".m4a", first, _mp4_fields),
        Base(".m4a", alac, _mp4_fields),
    ]


def mutated(sources: Sequence[Base], seed: int, number: int) -> tuple[str, bytes]:
    """Make a file: its name and content, which seed and number alone decide."""
    dice = random.Random(f"{seed}-{number}")
    base = sources[number % len(sources)]
    data = base.data
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = dice.choice(MUTATIONS)(data, dice, base, sources)
    if base.suffix == ".ogg" and dice.random() < 0.7:
        data = mend_ogg(data)  # else no decoder sees it
    return f"{number:06d}{base.suffix}", data


Mutation = Callable[[bytes, random.Random, Base, Sequence[Base]], bytes]


def _flip(data: bytes, dice: random.Random, *_others: object) -> bytes:
    """Flip bits, anywhere or in the header."""
    out = bytearray(data or b"\0")
    end = dice.choice((len(out), min(len(out), HEAD_BYTES)))
    for _ in range(dice.choice((1, 3, 20, 200))):
        out[dice.randrange(end)] ^= 1 << dice.randrange(8)
    return bytes(out)


def _truncate(data: bytes, dice: random.Random, *_others: object) -> bytes:
    return data[: dice.randrange(dice.choice((len(data), min(len(data), HEAD_BYTES))) + 1)]


def _behead(data: bytes, dice: random.Random, *_others: object) -> bytes:
    return data[dice.randrange(len(data) + 1) :]


def _zero(data: bytes, dice: random.Random, *_others: object) -> bytes:
    start, size = dice.randrange(len(data) + 1), dice.choice((4, 64, 4096))
    return data[:start] + bytes(len(data[start : start + size])) + data[start + size :]


def _noise(data: bytes, dice: random.Random, *_others: object) -> bytes:
    start, size = dice.randrange(len(data) + 1), dice.choice((4, 64, 4096))
    return data[:start] + dice.randbytes(len(data[start : start + size])) + data[start + size :]


def _duplicate(data: bytes, dice: random.Random, *_others: object) -> bytes:
    """Let a block come again, at its end or at another place."""
    start, size = dice.randrange(len(data) + 1), dice.choice((8, 512, 8192))
    place = dice.choice((start + size, dice.randrange(len(data) + 1)))
    return data[:place] + data[start : start + size] * dice.choice((1, 1, 30)) + data[place:]


def _delete(data: bytes, dice: random.Random, *_others: object) -> bytes:
    start = dice.randrange(len(data) + 1)
    return data[:start] + data[start + dice.choice((1, 64, 4096)) :]


def _splice(data: bytes, dice: random.Random, _base: Base, sources: Sequence[Base]) -> bytes:
    """Put the beginning of another file before the rest of this one, or in its place."""
    other = dice.choice(sources).data
    size = dice.choice((4, 16, 44, 128, 2048))
    return other[:size] + data[dice.choice((0, size)) :]


def _lie(data: bytes, dice: random.Random, base: Base, *_others: object) -> bytes:
    """Set numbers of the headers to absurd values."""
    out = bytearray(data)
    fields = [*base.fields(data), *_head_fields(data)]
    for _ in range(dice.choice((1, 1, 2, 5))):
        offset, size, order = dice.choice(fields)
        value = dice.choice(ABSURD) % (1 << 8 * size)
        out[offset : offset + size] = value.to_bytes(size, "big" if order == ">" else "little")
    return bytes(out)


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip, _truncate, _behead, _zero, _noise, _duplicate, _delete, _splice, _lie, _lie, _lie
)  # fmt: skip


def _head_fields(data: bytes) -> Iterator[Field]:
    for offset in range(0, max(1, min(len(data), HEAD_BYTES)), 2):
        yield from ((offset, size, order) for size in (1, 2, 4, 8) for order in "<>")


def _riff_fields(data: bytes) -> Iterator[Field]:
    yield from ((4, 4, "<"), (20, 2, "<"), (22, 2, "<"), (24, 4, "<"), (28, 4, "<"))
    yield from ((32, 2, "<"), (34, 2, "<"))
    place = 12
    while place + 8 <= len(data):
        yield place + 4, 4, "<"
        place += 8 + struct.unpack_from("<I", data, place + 4)[0]


def _flac_fields(data: bytes) -> Iterator[Field]:
    """STREAMINFO (its rate, channels, depth and count are packed) and the sizes of all blocks."""
    yield from ((8, 2, ">"), (10, 2, ">"), (12, 3, ">"), (15, 3, ">"), (18, 8, ">"), (18, 4, ">"))
    yield from ((20, 2, ">"), (21, 5, ">"), (22, 4, ">"))
    place, last = 4, 0
    while not last and place + 4 <= len(data):
        yield place + 1, 3, ">"
        last = data[place] & 0x80
        place += 4 + int.from_bytes(data[place + 1 : place + 4])


def _ogg_fields(data: bytes) -> Iterator[Field]:
    """The numbers of every page's head, and those of the first packet of Vorbis and Opus."""
    yield from ((28 + at, size, "<") for at, size in ((7, 4), (8, 1), (9, 1), (10, 2), (12, 4)))
    yield from ((28 + at, size, "<") for at, size in ((11, 1), (16, 4), (28, 1), (18, 1)))
    for place, _ in _ogg_pages(data):
        yield from ((place + 5, 1, "<"), (place + 6, 8, "<"), (place + 14, 4, "<"))
        yield from ((place + 18, 4, "<"), (place + 27, 1, "<"))


def _ogg_pages(data: bytes) -> Iterator[tuple[int, int]]:
    place = 0
    while data[place : place + 4] == b"OggS" and place + 27 <= len(data):
        head = 27 + data[place + 26]
        end = place + head + sum(data[place + 27 : place + head])
        yield place, end
        place = end


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def mend_ogg(data: bytes) -> bytes:
    """Set the checksums of all pages to what they should be."""
    out = bytearray(data)
    for place, end in _ogg_pages(data):
        out[place + 22 : place + 26] = bytes(4)
        page = bytes(out[place:end]).translate(_MIRROR)
        number = zlib.crc32(page, 0xFFFFFFFF) ^ 0xFFFFFFFF
        out[place + 22 : place + 26] = number.to_bytes(4, "big").translate(_MIRROR)
    return bytes(out)


def _mp4_fields(data: bytes) -> Iterator[Field]:
    """Sizes of the outermost boxes, and every number of the index."""
    place = 0
    while place + 8 <= len(data):
        yield place, 4, ">"
        size, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"moov":
            end = min(place + size, len(data) - 4)
            yield from ((at, 4, ">") for at in range(place + 8, end, 4))
            yield from ((at, 2, ">") for at in range(place + 8, end, 2))
        place += max(size, 8)
