import io
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.audio_files import speech
from wavemill.audio import FlacEncoder, encode_flac, encode_opus, resample
from wavemill.audio.encode import OPUS_RATES, opus_rate
from wavemill.errors import RejectedError


def num_decoded_by_ffmpeg(opus: bytes) -> int:
    file: Any
    with av.open(io.BytesIO(opus)) as file:
        return sum(int(frame.samples) for frame in file.decode(audio=0))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3000) | st.sampled_from([480, 960, 1920, 16_000, 48_000]),
    st.sampled_from([8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]),
    st.integers(1, 2),
)
def test_opus_has_exactly_the_samples_that_went_in(
    num_samples: int, rate: int, num_channels: int
) -> None:
    dice = np.random.default_rng(num_samples)
    audio = dice.uniform(-0.3, 0.3, (num_samples, num_channels)).astype(np.float32)
    expected = len(resample(audio, rate, opus_rate(rate)))
    opus = encode_opus(audio, rate)
    decoded, decoded_rate = soundfile.read(io.BytesIO(opus), always_2d=True)
    assert decoded.shape == (expected, num_channels)
    assert decoded_rate == opus_rate(rate)
    assert num_decoded_by_ffmpeg(opus) == expected * 48_000 // decoded_rate


@pytest.mark.parametrize("rate", OPUS_RATES)
def test_opus_keeps_its_own_rates(rate: int) -> None:
    assert opus_rate(rate) == rate


@pytest.mark.parametrize("rate", [7_999, 11_025, 22_050, 32_000, 44_100, 96_000])
def test_other_rates_become_48_khz(rate: int) -> None:
    assert opus_rate(rate) == 48_000


def test_the_same_samples_give_the_same_opus() -> None:
    audio, rate = speech(2)
    assert encode_opus(audio, rate) == encode_opus(audio.copy(), rate)
    assert encode_opus(audio, rate) != encode_opus(audio[:, ::-1], rate)


@pytest.mark.parametrize("num_channels", [1, 2])
def test_opus_sounds_like_its_source_in_each_channel(num_channels: int) -> None:
    audio, rate = speech(num_channels)
    found, _ = soundfile.read(io.BytesIO(encode_opus(audio, rate)), always_2d=True)
    for channel in range(num_channels):
        assert np.corrcoef(found[:, channel], audio[:, channel])[0, 1] > 0.9


def test_opus_is_small() -> None:
    audio, rate = speech()
    seconds = len(audio) / rate
    assert len(encode_opus(audio, rate)) < 1.5 * seconds * 32_000 / 8


def test_opus_names_no_version_of_its_maker() -> None:
    audio, rate = speech()
    opus = encode_opus(audio, rate)
    assert b"Lavf6" not in opus
    assert b"Lavc6" not in opus
    assert opus[14:18] == bytes(4)  # the stream's serial number


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20_000),
    st.lists(st.integers(0, 20_000), max_size=8),
    st.integers(1, 3),
    st.sampled_from([16, 24]),
)
def test_flac_is_the_same_however_the_audio_is_blocked(
    num_samples: int, cuts: list[int], num_channels: int, bit_depth: int
) -> None:
    dice = np.random.default_rng(num_samples)
    audio = dice.normal(0, 0.4, (num_samples, num_channels)).astype(np.float32)
    encoder = FlacEncoder(16_000, num_channels, bit_depth)
    for block in np.split(audio, sorted(cuts)):
        encoder.push(block)
    assert encoder.finish() == encode_flac(audio, 16_000, bit_depth)


def test_a_rate_that_flac_s_frames_cannot_state_is_refused() -> None:
    with pytest.raises(RejectedError, match="70001 Hz"):
        FlacEncoder(70_001, 1, 16)
    assert encode_flac(speech()[0], 70_000, 16)
