import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from tests.audio.audio_files import HELLO, Samples, decode, sndfile_bytes, speech
from wavemill.audio import encode_flac, open_audio
from wavemill.audio.sndfile import SndfileStream, Source, open_sndfile
from wavemill.audio.stream import BLOCK_SAMPLES
from wavemill.errors import RejectedError
from wavemill.records import EMPTY, TRUNCATED, UNDECODABLE, UNREADABLE


@dataclass
class Reads:
    """Stands for an open file that libsndfile reads: so many samples a read."""

    lengths: list[int]
    frames: int
    samplerate: int = 16_000
    channels: int = 1
    subtype: str = "VORBIS"

    def read(self, frames: int, **_: Any) -> Samples:
        assert frames == BLOCK_SAMPLES
        return np.zeros((self.lengths.pop(0) if self.lengths else 0, 1), np.float32)


@pytest.mark.parametrize(
    ("lengths", "stated", "reason"),
    [
        ([BLOCK_SAMPLES, 10, BLOCK_SAMPLES - 10], 2 * BLOCK_SAMPLES, TRUNCATED),
        ([BLOCK_SAMPLES, 0, BLOCK_SAMPLES], 2 * BLOCK_SAMPLES, TRUNCATED),
        ([BLOCK_SAMPLES] * 2, BLOCK_SAMPLES + 10, UNDECODABLE),
        ([], 100, EMPTY),
    ],
)
def test_what_comes_must_be_what_is_stated(lengths: list[int], stated: int, reason: str) -> None:
    file: Any = Reads(lengths, stated)
    with pytest.raises(RejectedError) as caught:
        list(SndfileStream(file, Source(None)).blocks())
    assert caught.value.reason == reason


def test_an_ogg_that_lacks_a_page_is_rejected_and_repeats_nothing(tmp_path: Path) -> None:
    samples, rate = speech()
    data = sndfile_bytes(np.tile(samples, (9, 1)), rate, "OGG", "VORBIS")
    pages = [*re.finditer(b"OggS", data)]
    middle = len(pages) // 2
    start, end = pages[middle].start(), pages[middle + 1].start()
    (tmp_path / "a.ogg").write_bytes(data[:start] + data[end:])
    with pytest.raises(RejectedError, match="can be decoded") as caught:
        decode(tmp_path / "a.ogg")
    assert caught.value.reason == TRUNCATED


def test_a_flac_that_states_no_length_is_decoded_whole(tmp_path: Path) -> None:
    samples, rate = speech()
    samples = np.tile(samples, (20, 1))
    flac = bytearray(encode_flac(samples, rate, 16))
    flac[21] &= 0xF0  # the number of samples, 36 bits that end here
    flac[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(flac)
    assert np.array_equal(decode(tmp_path / "a.flac"), samples)


class Failing(io.BytesIO):
    """A file on a disk or network that fails after so many bytes."""

    def __init__(self, data: bytes, good: int) -> None:
        super().__init__(data)
        self._good = good

    def readinto(self, buffer: Any) -> int:
        if self.tell() >= self._good:
            raise OSError("connection reset")
        return super().readinto(buffer)


@pytest.mark.parametrize("part", [0, 0.6])
def test_a_file_that_cannot_be_read_is_not_taken_for_a_damaged_one(part: float) -> None:
    data = HELLO.read_bytes()
    file = Failing(data, int(part * len(data)))
    with (
        pytest.raises(OSError, match="connection reset"),
        contextlib.ExitStack() as stack,
    ):
        list(open_sndfile(stack, file).blocks())


def test_a_failing_disk_is_a_reason_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    data = HELLO.read_bytes()
    monkeypatch.setattr("wavemill.storage.open_read", lambda _: Failing(data, len(data) // 2))
    with (
        pytest.raises(RejectedError, match="connection reset") as caught,
        open_audio("a.flac") as stream,
    ):
        list(stream.blocks())
    assert caught.value.reason == UNREADABLE


def test_a_seek_to_nowhere_stays_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    source = Source(io.BytesIO(b"abc"))
    assert source.seek(1) == 1
    assert source.seek(-5) == 1
    samples, rate = speech()
    caf = bytearray(sndfile_bytes(samples, rate, "CAF", "ALAC_16"))
    for at in range(8, 300):
        with contextlib.suppress(soundfile.LibsndfileError), contextlib.ExitStack() as stack:
            open_sndfile(stack, io.BytesIO(caf[:at] + b"\xff" * 8 + caf[at + 8 :]))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("pts", [None, 0, 48_000])
def test_opus_begins_with_its_first_sample_wherever_its_pages_count_from(
    tmp_path: Path, pts: int | None
) -> None:
    sweep = 0.3 * np.sin(2 * np.pi * 300 * (np.arange(72_000) / 48_000) ** 2)
    frame = av.AudioFrame.from_ndarray(sweep[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate = 48_000
    if pts is not None:
        frame.pts = pts
    path = tmp_path / "a.opus"
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_audio(str(path)) as opened:
        audio = np.concatenate([block.copy() for block in opened.blocks()])
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)  # which seeks first
    assert np.array_equal(audio, expected)
