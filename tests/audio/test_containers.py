import contextlib
import io
import random
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audio.audio_files import decode, ffmpeg_bytes, sndfile_bytes, speech
from wavemill.audio import open_audio
from wavemill.audio.containers import check_whole, measure
from wavemill.errors import RejectedError
from wavemill.records import TRUNCATED, UNDECODABLE

ID3 = b"ID3\x03\0\0\0\0\x02\x01" + bytes(257)
KEPT = [0.002, 0.05, 0.3, 0.5, 0.8, 0.97, 0.999]


def through_ffmpeg(codec: str, container: str, *options: str) -> bytes:
    with TemporaryDirectory() as folder:
        return ffmpeg_bytes(*speech(), codec, container, Path(folder) / "x", *options)


def streamed_wav() -> bytes:
    wav = bytearray(sndfile_bytes(*speech(), "WAV", "PCM_16"))
    assert wav[36:40] == b"data"
    wav[4:8] = wav[40:44] = b"\xff\xff\xff\xff"
    return bytes(wav)


STATED: dict[str, Callable[[], bytes]] = {
    "pcm.wav": lambda: sndfile_bytes(*speech(2), "WAV", "PCM_16"),
    "float.wav": lambda: sndfile_bytes(*speech(), "WAV", "FLOAT"),
    "adpcm.wav": lambda: sndfile_bytes(*speech(), "WAV", "IMA_ADPCM"),
    "pcm.aiff": lambda: sndfile_bytes(*speech(2), "AIFF", "PCM_24"),
    "a.flac": lambda: sndfile_bytes(*speech(), "FLAC", "PCM_16"),
    "vorbis.ogg": lambda: sndfile_bytes(*speech(), "OGG", "VORBIS"),
    "opus.ogg": lambda: sndfile_bytes(*speech(), "OGG", "OPUS"),
    "ffmpeg.opus": lambda: through_ffmpeg("libopus", "ogg"),
    "xing.mp3": lambda: through_ffmpeg("libmp3lame", "mp3", "b=48k"),
    "tagged.mp3": lambda: ID3 + through_ffmpeg("libmp3lame", "mp3", "id3v2_version=0"),
    "sndfile.mp3": lambda: sndfile_bytes(*speech(), "MP3", "MPEG_LAYER_III"),
    "index-last.m4a": lambda: through_ffmpeg("aac", "ipod"),
    "index-first.m4a": lambda: through_ffmpeg("aac", "ipod", "movflags=faststart"),
    "fragments.mp4": lambda: through_ffmpeg("aac", "mp4", "movflags=frag_keyframe+empty_moov"),
    "alac.m4a": lambda: through_ffmpeg("alac", "ipod"),
    "caf.caf": lambda: sndfile_bytes(*speech(), "CAF", "PCM_16"),
    "au.au": lambda: sndfile_bytes(*speech(), "AU", "PCM_16"),
    "rf64.wav": lambda: sndfile_bytes(*speech(), "RF64", "PCM_16"),
    "w64.w64": lambda: sndfile_bytes(*speech(), "W64", "PCM_16"),
}
"""Containers that state their length, or close it: a part cannot pass for the whole."""

UNSTATED: dict[str, Callable[[], bytes]] = {
    "streamed.wav": streamed_wav,
    "plain.mp3": lambda: through_ffmpeg("libmp3lame", "mp3", "write_xing=0"),
    "a.webm": lambda: through_ffmpeg("libopus", "webm"),
    "a.aac": lambda: through_ffmpeg("aac", "adts"),
}


@cache
def whole(name: str) -> bytes:
    return (STATED | UNSTATED)[name]()


def check(data: bytes) -> None:
    file = io.BytesIO(data)
    check_whole(file, measure(file))
    assert file.tell() == 0


@pytest.mark.parametrize("name", [*STATED, *UNSTATED])
def test_a_whole_file_passes(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(whole(name))
    check(whole(name))
    with open_audio(str(tmp_path / name)) as stream:
        num_samples = sum(map(len, stream.blocks()))
    assert 0 <= num_samples / stream.info.sample_rate - 1 < 0.15


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("name", STATED)
def test_a_file_cut_short_is_rejected(tmp_path: Path, name: str, kept: float) -> None:
    data = whole(name)
    (tmp_path / name).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(RejectedError) as caught:
        decode(tmp_path / name)
    assert caught.value.reason in {TRUNCATED, UNDECODABLE}


@pytest.mark.parametrize("name", ["pcm.wav", "vorbis.ogg", "xing.mp3", "index-first.m4a"])
def test_the_header_alone_tells_that_the_end_is_missing(name: str) -> None:
    data = whole(name)
    for missing in (2, 100, len(data) // 2):
        with pytest.raises(RejectedError) as caught:
            check(data[:-missing])
        assert caught.value.reason == TRUNCATED


@pytest.mark.parametrize("name", ["vorbis.ogg", "opus.ogg"])
def test_an_ogg_that_lacks_whole_pages_is_rejected(tmp_path: Path, name: str) -> None:
    data = whole(name)
    (tmp_path / name).write_bytes(data[: data.rindex(b"OggS")])
    with pytest.raises(RejectedError, match="no last page") as caught:
        decode(tmp_path / name)
    assert caught.value.reason == TRUNCATED


def test_a_forgotten_pad_byte_is_no_loss() -> None:
    data = sndfile_bytes(*speech(), "WAV", "PCM_16")
    check(data[:4] + struct.pack("<I", len(data) - 8 + 1) + data[8:])


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF - 8, 0x7FFFF000, 0x80000024])
def test_a_wav_written_into_a_pipe_is_not_taken_for_cut(tmp_path: Path, size: int) -> None:
    wav = bytearray(sndfile_bytes(*speech(), "WAV", "PCM_16"))
    struct.pack_into("<I", wav, 4, size)
    struct.pack_into("<I", wav, 40, size)
    (tmp_path / "a.wav").write_bytes(wav)
    assert len(decode(tmp_path / "a.wav")) == len(speech()[0])


def test_bytes_after_the_end_do_no_harm() -> None:
    for name in ("pcm.wav", "pcm.aiff", "xing.mp3"):
        check(whole(name) + b"TAG" + bytes(125))


@pytest.mark.parametrize("name", ["vorbis.ogg", "opus.ogg", "ffmpeg.opus"])
def test_an_ogg_with_damage_anywhere_is_rejected(tmp_path: Path, name: str) -> None:
    data = whole(name)
    dice = random.Random(name)
    for _ in range(60):
        at, length = dice.randrange(len(data)), dice.choice([1, 4, 100, 3000])
        damage = dice.choice([bytes(length), b"\xff" * length, dice.randbytes(length)])
        damaged = (data[:at] + damage + data[at + length :])[: len(data)]
        (tmp_path / name).write_bytes(damaged)
        if damaged == data:
            continue
        with pytest.raises(RejectedError) as caught:
            decode(tmp_path / name)
        assert caught.value.reason in {TRUNCATED, UNDECODABLE}


def test_a_damaged_page_is_named() -> None:
    data = bytearray(whole("vorbis.ogg"))
    page = data.rindex(b"OggS")
    data[page + 1000] ^= 1
    with pytest.raises(RejectedError, match=f"page at byte {page} is damaged") as caught:
        check(bytes(data))
    assert caught.value.reason == UNDECODABLE


@pytest.mark.parametrize("name", ["vorbis.ogg", "opus.ogg"])
def test_tags_after_an_ogg_do_no_harm(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(whole(name) + b"TAG" + bytes(125))
    assert len(decode(tmp_path / name)) == len(speech()[0])


MAGICS = [
    b"RIFF",
    b"RF64",
    b"riff",
    b".snd",
    b"caff",
    b"FORM",
    b"OggS",
    b"\0\0\0\1ftyp",
    b"\0\0\0\x18ftyp",
    b"ID3",
    b"\xff\xfb",
    b"",
]


@given(st.sampled_from(MAGICS), st.binary(max_size=64), st.sampled_from([b"", b"Xing", b"moov"]))
@settings(max_examples=300, deadline=None)
def test_a_header_of_any_bytes_passes_or_is_rejected(
    magic: bytes, body: bytes, word: bytes
) -> None:
    with contextlib.suppress(RejectedError):
        check(magic + body[:32] + word + body[32:])


@pytest.mark.parametrize("magic", MAGICS[:-1])
def test_a_file_that_ends_within_its_magic_is_rejected(tmp_path: Path, magic: bytes) -> None:
    for length in range(1, len(magic) + 1):
        (tmp_path / "a").write_bytes(magic[:length])
        with pytest.raises(RejectedError):
            decode(tmp_path / "a")


SHORT = ["pcm.wav", "adpcm.wav", "pcm.aiff", "a.flac", "vorbis.ogg", "xing.mp3", "plain.mp3",
         "index-first.m4a", "caf.caf", "au.au", "a.webm", "a.aac"]  # fmt: skip
PATCHES = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.binary(min_size=1, max_size=4) | st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff"]),
    ),
    min_size=1,
    max_size=5,
)


@given(st.sampled_from(SHORT), PATCHES, st.integers(200, 6000))
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_mutated_file_is_decoded_or_rejected(
    tmp_path: Path, name: str, patches: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(whole(name)[:length] if length < 5000 else whole(name))
    for at, patch in patches:
        data[at : at + len(patch)] = patch
    (tmp_path / "a").write_bytes(data)
    with contextlib.suppress(RejectedError):
        assert decode(tmp_path / "a").ndim == 2


@given(st.binary(max_size=300))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_decoded_or_rejected(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with contextlib.suppress(RejectedError):
        assert decode(tmp_path / "a").ndim == 2


def test_an_unknown_codec_is_rejected(tmp_path: Path) -> None:
    caf = bytearray(whole("caf.caf"))
    caf[28:32] = b"lpcm"
    struct.pack_into(">I", caf, 48, 191)  # bits a sample
    (tmp_path / "a.caf").write_bytes(caf)
    with pytest.raises(RejectedError, match="unknown codec") as caught:
        decode(tmp_path / "a.caf")
    assert caught.value.reason == UNDECODABLE


@pytest.mark.parametrize("riff_size", [0, 0xFFFFFFFF])
def test_a_streamed_wav_whose_samples_end_early_is_rejected(tmp_path: Path, riff_size: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = riff_size.to_bytes(4, "little")
    (tmp_path / "half.wav").write_bytes(data[: len(data) // 2])
    with (
        pytest.raises(RejectedError, match="the header states") as caught,
        open_audio(str(tmp_path / "half.wav")),
    ):
        pass
    assert caught.value.reason == TRUNCATED
    data[40:44] = (0xFFFFFFFF).to_bytes(4, "little")  # as ffmpeg writes into a pipe
    (tmp_path / "piped.wav").write_bytes(data)
    with open_audio(str(tmp_path / "piped.wav")) as stream:
        assert sum(map(len, stream.blocks())) == 16_000
