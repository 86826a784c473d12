"""What stored audio says of itself, read in microseconds, without a decoder.

Of FLAC, that is its first block (RFC 9639, section 8.2), and that the first frame stands where the
last block ends; of Opus, its first packet (RFC 7845, section 5.1) and all pages, whose checksums
cost little.
"""

from wavemill.audio.stored import FLAC_HEAD, StoredAudio, check_ogg_pages
from wavemill.errors import RejectedError
from wavemill.records import UNDECODABLE

STREAMINFO = b"\x00\x00\x22"
"""The size of FLAC's first block."""
STREAM_START = 42
"""Where it ends."""
DEPTHS = (16, 24)
FRAME_SYNC = b"\xff\xf8"
OPUS_HEAD = b"OpusHead\x01"
OPUS_START = 28
"""Where the first packet begins: it is alone on its page."""
OPUS_CLOCK = 48_000


def read_head(data: memoryview, extension: str) -> StoredAudio:
    """Say what a file of audio states that it holds.

    Raises:
        RejectedError: it does not begin as the files do that wavemill writes, or a page of Opus is
            damaged.

    """
    return _flac_head(data) if extension == "flac" else _opus_head(data)


def _flac_head(data: memoryview) -> StoredAudio:
    start = bytes(data[:STREAM_START])
    if len(start) < STREAM_START or not start.startswith(FLAC_HEAD) or start[4] & 0x7F:
        raise RejectedError(UNDECODABLE, "it does not begin as FLAC")
    if start[5:8] != STREAMINFO:
        raise RejectedError(UNDECODABLE, "it does not begin as FLAC")
    packed = int.from_bytes(start[18:26])
    depth = (packed >> 36) % 32 + 1
    place, last = STREAM_START, start[4] & 0x80
    while not last and place + 4 < len(data):
        last = data[place] & 0x80
        place += 4 + int.from_bytes(data[place + 1 : place + 4])
    if depth not in DEPTHS or not last or data[place : place + 2] != FRAME_SYNC:
        raise RejectedError(UNDECODABLE, "its head is not one of the FLAC that wavemill writes")
    return StoredAudio(
        num_samples=packed % 2**36,
        sample_rate=packed >> 44,
        num_channels=(packed >> 41) % 8 + 1,
    )


def _opus_head(data: memoryview) -> StoredAudio:
    last = check_ogg_pages(data)
    head = data[OPUS_START : OPUS_START + 19]
    if len(head) < 19 or head[:9] != OPUS_HEAD:
        raise RejectedError(UNDECODABLE, "it does not begin as Opus")
    rate = int.from_bytes(head[12:16], "little")
    skipped = int.from_bytes(head[10:12], "little")
    return StoredAudio(
        num_samples=(last - skipped) * rate // OPUS_CLOCK,
        sample_rate=rate,
        num_channels=head[9],
    )
