"""Check audio as it lies in shards: decode all of it, and hold it against its own checksums.

libsndfile checks the checksum of each FLAC frame but not that of all samples, and fills a damaged
page of an Ogg stream with made-up sound. So FLAC's MD5 and Ogg's CRCs are checked here.
"""

import hashlib
import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from wavemill.errors import RejectedError
from wavemill.records import TRUNCATED, UNDECODABLE

BLOCK_SAMPLES = 1 << 16
FORMS = {
    "flac": {("FLAC", "PCM_16"), ("FLAC", "PCM_24")},
    "opus": {("OGG", "OPUS")},
}
FLAC_HEAD = b"fLaC"
FLAC_MD5 = slice(26, 42)  # the end of STREAMINFO, which is always the first block
OGG_HEAD = b"OggS"
OGG_CRC = slice(22, 26)
OGG_GRANULE = slice(6, 14)

_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, kw_only=True)
class StoredAudio:
    """What a stored file holds."""

    num_samples: int
    sample_rate: int
    num_channels: int


def check_stored(data: bytes, extension: str, *, decode: bool = True) -> StoredAudio:
    """Say what a file of audio holds once all of it was found to be sound.

    Args:
        data: the file.
        extension: flac or opus.
        decode: if not, believe its header, and of Opus the checksums.

    Raises:
        RejectedError: it is of another kind, cut short or damaged.

    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            if (sound.format, sound.subtype) not in FORMS[extension]:
                words = f"it is {sound.format} {sound.subtype}, not {extension}"
                raise RejectedError(UNDECODABLE, words)
            if decode:
                (_check_flac if extension == "flac" else _check_opus)(sound, data)
            elif extension == "opus":
                check_ogg_pages(data)
            return StoredAudio(
                num_samples=sound.frames,
                sample_rate=sound.samplerate,
                num_channels=sound.channels,
            )
    except (soundfile.LibsndfileError, ValueError, OverflowError) as error:
        words = str(error).rsplit(">: ", 1)[-1]
        raise RejectedError(UNDECODABLE, words) from error


def _check_flac(sound: Any, data: bytes) -> None:
    """Decode to the integers that were encoded, whose MD5 the header states (0: it does not)."""
    if not data.startswith(FLAC_HEAD):
        raise RejectedError(UNDECODABLE, "something lies before the FLAC")
    digest = hashlib.md5(usedforsecurity=False)
    deep = sound.subtype == "PCM_24"
    total = 0
    while len(block := _read(sound, "int32" if deep else "int16")):
        total += len(block)
        if deep:
            block = (block >> 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]
        digest.update(block.tobytes())
    _check_length(sound, total)
    stated = data[FLAC_MD5]
    if any(stated) and digest.digest() != stated:
        raise RejectedError(UNDECODABLE, "its samples are not those of its MD5")


def _check_opus(sound: Any, data: bytes) -> None:
    check_ogg_pages(data)
    total = 0
    while len(block := _read(sound, "float32")):
        total += len(block)
    _check_length(sound, total)


def _read(sound: Any, dtype: str) -> Any:
    return sound.read(BLOCK_SAMPLES // sound.channels, dtype=dtype, always_2d=True)


def _check_length(sound: Any, total: int) -> None:
    if not 0 < total == sound.frames:
        words = f"its header states {sound.frames} samples, {total} can be decoded"
        raise RejectedError(TRUNCATED, words)


def check_ogg_pages(data: bytes | memoryview) -> int:
    """Walk the pages of an Ogg stream, check their CRCs, and return the last one's position.

    Raises:
        RejectedError: they do not fill the file, or one is damaged.

    """
    position, granule = 0, 0
    while position < len(data):
        header = bytes(data[position : position + 27])
        lacing = data[position + 27 : position + 27 + header[-1]]
        end = position + 27 + header[-1] + sum(lacing)
        if not header.startswith(OGG_HEAD) or end > len(data):
            raise RejectedError(UNDECODABLE, f"no whole Ogg page at byte {position}")
        if _ogg_crc(bytes(data[position:end])) != header[OGG_CRC]:
            raise RejectedError(UNDECODABLE, f"the Ogg page at byte {position} is damaged")
        position, granule = end, int.from_bytes(header[OGG_GRANULE], "little")
    return granule


def _ogg_crc(page: bytes) -> bytes:
    """Compute a page's checksum as it lies in the page.

    It is zlib's polynomial with the bits the other way round, and begins at 0.
    """
    blank = page[: OGG_CRC.start] + bytes(4) + page[OGG_CRC.stop :]
    mirrored = zlib.crc32(blank.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return mirrored.to_bytes(4, "big").translate(_REVERSED_BITS)
