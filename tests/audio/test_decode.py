import io
import tarfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.audio.audio_files import HELLO, Samples, decode, ffmpeg_bytes, sndfile_bytes, speech
from wavemill.audio import AudioInfo, encode_flac, flac_to_float, open_audio
from wavemill.audio.stream import BLOCK_SAMPLES
from wavemill.errors import RejectedError
from wavemill.records import (
    EMPTY,
    MISSING_FILE,
    NON_FINITE,
    TRUNCATED,
    UNDECODABLE,
    UNREADABLE,
    UNSUPPORTED,
)

EXACT = [
    ("wav", "WAV", "PCM_U8", 8),
    ("wav", "WAV", "PCM_16", 16),
    ("wav", "WAV", "PCM_24", 24),
    ("wav", "WAV", "PCM_32", 32),
    ("wav", "WAV", "FLOAT", 24),
    ("wav", "WAVEX", "PCM_24", 24),
    ("aiff", "AIFF", "PCM_S8", 8),
    ("aiff", "AIFF", "PCM_16", 16),
    ("aiff", "AIFF", "PCM_24", 24),
    ("flac", "FLAC", "PCM_S8", 8),
    ("flac", "FLAC", "PCM_16", 16),
    ("flac", "FLAC", "PCM_24", 24),
    ("caf", "CAF", "PCM_16", 16),
    ("caf", "CAF", "ALAC_16", 16),
    ("caf", "CAF", "ALAC_24", 24),
    ("au", "AU", "PCM_16", 16),
    ("au", "AU", "PCM_24", 24),
    ("w64", "W64", "PCM_16", 16),
    ("rf64", "RF64", "PCM_16", 16),
]
LOSSY = [
    ("ogg", "OGG", "VORBIS"),
    ("opus", "OGG", "OPUS"),
    ("mp3", "MP3", "MPEG_LAYER_III"),
    ("wav", "WAV", "ULAW"),
    ("wav", "WAV", "IMA_ADPCM"),
]
THROUGH_FFMPEG = [
    ("m4a", "aac", "ipod", 2),
    ("aac", "aac", "adts", 2),
    ("webm", "libopus", "webm", 2),
    ("mkv", "flac", "matroska", 2),
    ("g722", "g722", "g722", 1),
    ("3gp", "aac", "3gp", 1),
    ("ts", "aac", "mpegts", 2),
    ("wv", "wavpack", "wv", 2),
    ("avi", "pcm_s16le", "avi", 2),
]


def loudness(samples: Samples, rate: int) -> Samples:
    """Measure each of the first 49 stretches of 20 ms, [49, C]: a short delay hardly counts."""
    frame = rate // 50
    frames = samples[: 49 * frame].reshape(49, frame, samples.shape[1])
    measured: Samples = np.sqrt((frames**2).mean(axis=1))
    return measured


def similarity(found: Samples, original: Samples, found_rate: int = 16_000) -> float:
    """Correlate the loudness of each channel; return the worst."""
    pairs = zip(loudness(found, found_rate).T, loudness(original, 16_000).T, strict=True)
    return min(float(np.corrcoef(one, other)[0, 1]) for one, other in pairs)


def quantized(bits: int, num_channels: int = 2) -> tuple[Samples, int]:
    """Give speech whose samples are integers of so many bits, with both extremes."""
    samples, rate = speech(num_channels)
    scale = float(1 << (min(bits, 24) - 1))
    samples = np.clip(np.rint(samples * scale), -scale, scale - 1)
    samples[100:103, 0] = -scale, scale - 1, -scale
    return (samples / scale).astype(np.float32), rate


def as_written(samples: Samples, subtype: str) -> np.ndarray[Any, Any]:
    """Scale floats to the full integers, as libsndfile's own conversion is not exact."""
    whole: np.ndarray[Any, Any] = (samples.astype(np.float64) * 2.0**31).astype(np.int32)
    return samples if subtype == "FLOAT" else whole


@pytest.mark.parametrize(("suffix", "container", "subtype", "bits"), EXACT)
def test_pcm_is_decoded_exactly(
    tmp_path: Path, suffix: str, container: str, subtype: str, bits: int
) -> None:
    samples, rate = quantized(bits)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(sndfile_bytes(as_written(samples, subtype), rate, container, subtype))
    with open_audio(str(path)) as stream:
        info = stream.info
        found = np.concatenate(list(stream.blocks()))
    assert info == AudioInfo(sample_rate=rate, num_channels=2, bit_depth=16 if bits <= 16 else 24)
    assert found.dtype == np.float32
    assert np.array_equal(found, samples)


@pytest.mark.parametrize(("suffix", "container", "subtype"), LOSSY)
def test_lossy_files_are_decoded_in_stereo(
    tmp_path: Path, suffix: str, container: str, subtype: str
) -> None:
    samples, rate = speech(2)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(sndfile_bytes(samples, rate, container, subtype))
    found = decode(path)
    assert len(found) == pytest.approx(len(samples), abs=512)
    assert similarity(found, samples) > 0.98


@pytest.mark.parametrize(("suffix", "codec", "container", "num_channels"), THROUGH_FFMPEG)
def test_what_only_ffmpeg_reads_is_decoded(
    tmp_path: Path, suffix: str, codec: str, container: str, num_channels: int
) -> None:
    samples, rate = speech(num_channels)
    path = tmp_path / f"a.{suffix}"
    ffmpeg_bytes(samples, rate, codec, container, path)
    with open_audio(str(path)) as stream:
        info = stream.info
        found = np.concatenate(list(stream.blocks()))
    assert info.num_channels == num_channels
    assert info.sample_rate == (48_000 if codec == "libopus" else rate)
    assert 0 <= len(found) / info.sample_rate - 1 < 0.15
    delay = 1024 if container in {"adts", "mpegts"} else 0  # MP4 states it, these cannot
    assert similarity(found[delay:], samples, info.sample_rate) > 0.98


def test_alac_in_mp4_is_decoded_exactly(tmp_path: Path) -> None:
    samples, rate = quantized(16)
    ffmpeg_bytes(samples, rate, "alac", "ipod", tmp_path / "a.m4a")
    assert np.array_equal(decode(tmp_path / "a.m4a"), samples)


@pytest.mark.parametrize("quality", ["b=32k", "b=128k", "q=4", "q=9"])
def test_an_mp3_that_states_no_length_is_decoded_whole(tmp_path: Path, quality: str) -> None:
    speech_, rate = speech()
    # libsndfile reads up to a length that it guesses: of silence, a small part of it all.
    samples = np.concatenate([np.zeros_like(speech_), *[speech_] * 4, np.zeros_like(speech_)])
    path = tmp_path / "a.mp3"
    whole = ffmpeg_bytes(samples, rate, "libmp3lame", "mp3", path, "write_xing=0", quality)
    assert b"Xing" not in whole
    assert b"Info" not in whole
    found = decode(path)
    assert 0 <= len(found) - len(samples) < 3 * 1152
    assert similarity(found[rate + 1105 :], speech_) > 0.98


def test_an_aac_stream_that_starts_in_silence_is_decoded_whole(tmp_path: Path) -> None:
    speech_, rate = speech()
    samples = np.concatenate([np.zeros_like(speech_), *[speech_] * 8])
    ffmpeg_bytes(samples, rate, "aac", "adts", tmp_path / "a.aac")
    assert len(decode(tmp_path / "a.aac")) >= len(samples)


@pytest.mark.parametrize(("num_channels", "rate"), [(2, 16_000), (1, 8_000)])
def test_a_stream_that_changes_its_form_midway_is_rejected(
    tmp_path: Path, num_channels: int, rate: int
) -> None:
    first = ffmpeg_bytes(speech(1)[0], 16_000, "aac", "adts", tmp_path / "1.aac")
    second = ffmpeg_bytes(speech(num_channels)[0], rate, "aac", "adts", tmp_path / "2.aac")
    (tmp_path / "a.aac").write_bytes(first + second)
    with pytest.raises(RejectedError, match="goes from 16000 Hz x 1 to") as caught:
        decode(tmp_path / "a.aac")
    assert caught.value.reason == UNDECODABLE


@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("num_channels", [1, 2])
def test_flac_keeps_every_bit_of_its_source(tmp_path: Path, bits: int, num_channels: int) -> None:
    samples, rate = quantized(bits, num_channels)
    path = tmp_path / "a.wav"
    subtype = {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24"}[bits]
    path.write_bytes(sndfile_bytes(as_written(samples, subtype), rate, "WAV", subtype))
    with open_audio(str(path)) as stream:
        depth = stream.info.bit_depth
        flac = encode_flac(np.concatenate(list(stream.blocks())), rate, depth)
    found, found_rate = flac_to_float(flac)
    assert found_rate == rate
    assert np.array_equal(found, samples)
    assert soundfile.info(io.BytesIO(flac)).subtype == f"PCM_{depth}"


@settings(max_examples=50, deadline=None)
@given(
    arrays.arrays(
        np.int32,
        st.tuples(st.integers(1, 300), st.integers(1, 8)),
        elements=st.integers(-(2**23), 2**23 - 1) | st.sampled_from([-(2**23), 2**23 - 1]),
    ),
    st.sampled_from([16, 24]),
    st.sampled_from([8000, 11_025, 44_100, 96_000, 192_000]),
)
def test_flac_stores_any_integers_exactly(
    integers: np.ndarray[Any, Any], bits: int, rate: int
) -> None:
    samples = ((integers >> (24 - bits)) / float(1 << (bits - 1))).astype(np.float32)
    flac = encode_flac(samples, rate, bits)
    found, found_rate = flac_to_float(flac)
    assert found_rate == rate
    assert np.array_equal(found, samples)
    assert encode_flac(samples, rate, bits) == flac


@pytest.mark.parametrize("bits", [16, 24])
def test_flac_clips_what_lies_outside_and_never_wraps(bits: int) -> None:
    top = 1 - 1 / (1 << (bits - 1))
    samples = np.array([-1.0, -1.5, -100.0, 1.0, 1.5, 100.0], np.float32)[:, None]
    found, _ = flac_to_float(encode_flac(samples, 16_000, bits))
    assert found[:, 0].tolist() == [-1.0, -1.0, -1.0, top, top, top]


def test_a_rate_that_flac_cannot_hold_is_rejected() -> None:
    with pytest.raises(RejectedError, match="FLAC cannot hold") as caught:
        encode_flac(np.zeros((10, 1), np.float32), 700_000, 16)
    assert caught.value.reason == UNSUPPORTED


def test_a_long_file_comes_in_blocks_of_bounded_size(tmp_path: Path) -> None:
    samples = np.zeros((BLOCK_SAMPLES * 2, 2), np.int16)
    samples[:, 0] = np.arange(len(samples)) % 1000
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    with open_audio(str(tmp_path / "a.wav")) as stream:
        blocks = list(stream.blocks())
    assert max(block.size for block in blocks) <= BLOCK_SAMPLES
    assert np.array_equal(np.concatenate(blocks) * 32768, samples)


def test_a_member_of_a_tar_is_decoded_where_it_lies(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(HELLO.with_name("hello.flac"), "first.flac")
        tar.add(HELLO, "second.flac")
    with tarfile.open(tmp_path / "x.tar") as tar:
        member = tar.getmember("second.flac")
    url = str(tmp_path / "x.tar")
    with open_audio(url, byte_offset=member.offset_data, num_bytes=member.size) as stream:
        found = np.concatenate(list(stream.blocks()))
    assert np.array_equal(found, decode(HELLO))
    with (
        pytest.raises(RejectedError, match="ends within the member") as caught,
        open_audio(url, byte_offset=member.offset_data, num_bytes=10**9),
    ):
        pass
    assert caught.value.reason == TRUNCATED


def patched_wav(offset: int, value: bytes) -> bytes:
    wav = sndfile_bytes(speech()[0], 16_000, "WAV", "PCM_16")
    return wav[:offset] + value + wav[offset + len(value) :]


def float_wav(value: float) -> bytes:
    samples = speech()[0].copy()
    samples[len(samples) // 2] = value
    return sndfile_bytes(samples, 16_000, "WAV", "FLOAT")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", EMPTY),
        (sndfile_bytes(np.zeros((0, 1), np.float32), 16_000, "WAV", "PCM_16"), EMPTY),
        (b"A shopping list, not a sound.\n" * 100, UNDECODABLE),
        (bytes(10_000), UNDECODABLE),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), UNDECODABLE),
        (float_wav(np.nan), NON_FINITE),
        (float_wav(np.inf), NON_FINITE),
        (float_wav(-np.inf), NON_FINITE),
        (patched_wav(24, b"\x80\x03\0\0"), UNSUPPORTED),  # 896 Hz
        (patched_wav(24, b"\0\x94\x35\x77"), UNSUPPORTED),  # 2 GHz
        (sndfile_bytes(np.zeros((100, 9), np.float32), 16_000, "WAV", "PCM_16"), UNSUPPORTED),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(RejectedError) as caught:
        decode(tmp_path / "a.wav")
    assert caught.value.reason == reason
    assert caught.value.detail


def test_a_picture_in_a_container_of_sound_is_no_audio(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream: Any = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        file.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(RejectedError, match="no audio stream") as caught:
        decode(tmp_path / "a.mp4")
    assert caught.value.reason == UNDECODABLE


def test_a_missing_file_and_a_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        decode(tmp_path / "gone.wav")
    assert caught.value.reason == MISSING_FILE
    with pytest.raises(RejectedError) as caught:
        decode(tmp_path)
    assert caught.value.reason == UNREADABLE
