import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.audio_files import HELLO, Samples, decode, ffmpeg_bytes, sndfile_bytes, speech
from wavemill.audio.mpeg import Stated, is_mpeg_audio, read_stated
from wavemill.errors import RejectedError
from wavemill.records import TRUNCATED, UNDECODABLE

ID3 = b"ID3\x03\0\0\0\0\x02\x01" + bytes(257)
APE = b"APETAGEX" + bytes([208, 7, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128]) + bytes(8)
TAILS = [b"TAG" + bytes(125), APE, bytes(3000), b"\xff" * 500, b"LYRICSBEGIN words 000005LYRICS200"]


def long_speech(num_channels: int = 1) -> Samples:
    return np.tile(speech(num_channels)[0], (12, 1))


def mp3(tmp_path: Path, *options: str, num_channels: int = 1) -> bytes:
    samples = long_speech(num_channels)
    return ffmpeg_bytes(samples, 16_000, "libmp3lame", "mp3", tmp_path / "x.mp3", *options)


def variable(num_channels: int) -> tuple[Samples, bytes]:
    """Encode with a variable bit rate, in which frames lean on the bits of those before them."""
    file, samples = io.BytesIO(), long_speech(num_channels)
    soundfile.write(file, samples, 44_100, format="MP3", bitrate_mode="VARIABLE")
    return samples, ID3 + file.getvalue()


def test_mpeg_audio_is_told_from_the_rest(tmp_path: Path) -> None:
    aac = ffmpeg_bytes(*speech(), "aac", "adts", tmp_path / "x.aac")
    for data in (mp3(tmp_path), aac, ID3 + mp3(tmp_path), ID3 * 2 + aac):
        file = io.BytesIO(data)
        assert is_mpeg_audio(file)
        assert file.tell() == 0
    for data in (HELLO.read_bytes(), ID3 + HELLO.read_bytes(), b"RIFF", b""):
        assert not is_mpeg_audio(io.BytesIO(data))


def test_a_first_frame_states_samples_and_bytes(tmp_path: Path) -> None:
    samples, whole = len(long_speech()), mp3(tmp_path, "id3v2_version=0")
    assert read_stated(io.BytesIO(whole)) == Stated(num_samples=samples, end_bytes=len(whole))
    tagged = read_stated(io.BytesIO(ID3 + whole))
    assert tagged == Stated(num_samples=samples, end_bytes=len(ID3 + whole))
    assert read_stated(io.BytesIO(mp3(tmp_path, "write_xing=0"))) == Stated()


@pytest.mark.parametrize("data", [b"", b"Info", b"\xff\xfbXing\0", b"Xing\0\0\0\x03\0\1"])
def test_a_first_frame_may_end_anywhere(tmp_path: Path, data: bytes) -> None:
    read_stated(io.BytesIO(data))
    (tmp_path / "a.mp3").write_bytes(data)
    with pytest.raises(RejectedError):
        decode(tmp_path / "a.mp3")


@pytest.mark.parametrize("num_channels", [1, 2])
def test_an_mp3_is_decoded_alike_at_every_place(tmp_path: Path, num_channels: int) -> None:
    samples, data = variable(num_channels)
    (tmp_path / "a.mp3").write_bytes(data)
    found = decode(tmp_path / "a.mp3")
    in_one_piece, _ = soundfile.read(tmp_path / "a.mp3", dtype="float32", always_2d=True)
    assert found.shape == samples.shape
    assert np.abs(found - in_one_piece).max() < 1e-5


@pytest.mark.parametrize("tail", TAILS)
def test_what_follows_the_stated_end_of_an_mp3_is_no_audio(tmp_path: Path, tail: bytes) -> None:
    whole = mp3(tmp_path)
    (tmp_path / "a.mp3").write_bytes(whole)
    expected = decode(tmp_path / "a.mp3")
    assert len(expected) == len(long_speech())
    (tmp_path / "a.mp3").write_bytes(whole + tail)
    assert np.array_equal(decode(tmp_path / "a.mp3"), expected)


@pytest.mark.parametrize("lacking", [1, 3])  # of 576 samples
def test_an_mp3_may_lack_the_frame_that_holds_the_count_and_not_more(
    tmp_path: Path, lacking: int
) -> None:
    whole = bytearray(mp3(tmp_path))
    place = whole.index(b"Info") + 8
    count = int.from_bytes(whole[place : place + 4], "big")
    whole[place : place + 4] = (count + lacking).to_bytes(4, "big")
    (tmp_path / "a.mp3").write_bytes(whole)
    if lacking == 1:
        assert len(decode(tmp_path / "a.mp3"))
        return
    with pytest.raises(RejectedError, match="can be decoded") as caught:
        decode(tmp_path / "a.mp3")
    assert caught.value.reason == TRUNCATED


def test_an_mp3_that_states_no_frames_is_decoded_whole(tmp_path: Path) -> None:
    whole = bytearray(mp3(tmp_path))
    place = whole.index(b"Info") + 8
    whole[place : place + 4] = bytes(4)
    (tmp_path / "a.mp3").write_bytes(whole)
    assert len(decode(tmp_path / "a.mp3")) >= len(long_speech())


def test_an_mp3_with_more_audio_than_it_states_is_rejected(tmp_path: Path) -> None:
    whole = mp3(tmp_path, "id3v2_version=0")
    samples = read_stated(io.BytesIO(whole)).num_samples
    (tmp_path / "a.mp3").write_bytes(whole + whole)
    with pytest.raises(RejectedError, match=f"states {samples} samples, more") as caught:
        decode(tmp_path / "a.mp3")
    assert caught.value.reason == UNDECODABLE


DECODE = """
import sys
from wavemill.audio import open_audio
from wavemill.errors import RejectedError
for path in sys.argv[1:]:
    try:
        with open_audio(path) as stream:
            print(sum(map(len, stream.blocks())))
    except RejectedError as error:
        print(error.reason)
"""


def test_decoders_write_nothing_to_the_terminal(tmp_path: Path) -> None:
    files = {
        "xing.mp3": mp3(tmp_path),
        "plain.mp3": mp3(tmp_path, "write_xing=0"),
        "variable.mp3": variable(2)[1],
        "a.aac": ffmpeg_bytes(*speech(), "aac", "adts", tmp_path / "x"),
        "a.m4a": ffmpeg_bytes(*speech(), "aac", "ipod", tmp_path / "x"),
        "a.ogg": sndfile_bytes(*speech(), "OGG", "VORBIS"),
    }
    for name, whole in list(files.items()):
        for at in range(len(whole) // 4, len(whole), len(whole) // 4):
            damaged = whole[:at] + bytes(range(256)) * 4 + whole[at + 1024 :]
            files[f"{at}-{name}"] = damaged[: len(whole)]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", DECODE, *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == len(files)
    assert UNDECODABLE in done.stdout
    assert done.stderr == ""
