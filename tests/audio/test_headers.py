"""What stored audio states is read as libsndfile reads it, and nothing else is taken for it."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.audio import encode_flac, encode_opus
from wavemill.audio.encode import OPUS_RATES
from wavemill.audio.headers import read_head
from wavemill.errors import RejectedError


def noise(length: int, channels: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.1, 0.1, (length, channels)).astype(np.float32)


@settings(max_examples=20)
@given(
    length=st.integers(1, 50_000),
    channels=st.integers(1, 8),
    rate=st.integers(1000, 65_535) | st.sampled_from([88_200, 96_000, 192_000]),
    depth=st.sampled_from([16, 24]),
)
def test_flac_states_what_it_holds(length: int, channels: int, rate: int, depth: int) -> None:
    found = read_head(memoryview(encode_flac(noise(length, channels), rate, depth)), "flac")
    assert (found.num_samples, found.num_channels, found.sample_rate) == (length, channels, rate)


@settings(max_examples=20)
@given(
    length=st.integers(1, 50_000),
    channels=st.integers(1, 2),
    rate=st.sampled_from(OPUS_RATES),
)
def test_opus_states_what_libsndfile_finds_in_it(length: int, channels: int, rate: int) -> None:
    data = encode_opus(noise(length, channels), rate)
    found = read_head(memoryview(data), "opus")
    about = soundfile.info(io.BytesIO(data))
    assert (found.num_samples, found.num_channels) == (about.frames, about.channels)
    assert found.sample_rate == about.samplerate == rate
    assert found.num_samples == length


FLAC, OPUS = encode_flac(noise(20_000, 1), 16_000, 16), encode_opus(noise(20_000, 1), 16_000)


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        (b"", "flac"), (b"", "opus"), (OPUS, "flac"), (FLAC, "opus"), (FLAC[:42], "flac"),
        (b"fLaC", "flac"), (FLAC[:30], "flac"),
        (OPUS[:-1], "opus"), (OPUS[:20], "opus"), (b"ID3" + FLAC, "flac"),
        (OPUS + b"x", "opus"), (OPUS[:500] + b"\0" + OPUS[501:], "opus"),
    ],
)  # fmt: skip
def test_what_is_no_whole_head_is_refused(data: bytes, extension: str) -> None:
    with pytest.raises(RejectedError):
        read_head(memoryview(data), extension)
