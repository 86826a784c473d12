from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.audio_files import Samples, speech
from wavemill.audio import (
    AudioInfo,
    StreamResampler,
    mono_blocks,
    pick_channels,
    resample,
    to_mono,
)
from wavemill.errors import RejectedError
from wavemill.records import UNSUPPORTED

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])


@dataclass
class Fake:
    """An open file whose samples are at hand."""

    info: AudioInfo
    samples: Samples
    cuts: tuple[int, ...] = ()

    def blocks(self) -> Iterator[Samples]:
        yield from np.split(self.samples, sorted(self.cuts))


def fake(samples: Samples, rate: int, *cuts: int) -> Fake:
    info = AudioInfo(sample_rate=rate, num_channels=samples.shape[1], bit_depth=16)
    return Fake(info, samples, cuts)


def noise(num_samples: int, num_channels: int = 1) -> Samples:
    dice = np.random.default_rng(num_samples)
    return dice.uniform(-0.5, 0.5, (num_samples, num_channels)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    RATES,
    RATES,
    st.integers(0, 20_000),
    st.lists(st.integers(0, 20_000), max_size=6),
    st.none() | st.integers(1, 3),
)
def test_blocks_resample_as_if_they_were_one_piece(
    from_hz: int, to_hz: int, num_samples: int, cuts: list[int], num_channels: int | None
) -> None:
    audio = noise(num_samples, num_channels or 1)
    if num_channels is None:
        audio = audio[:, 0]
    stream = StreamResampler(from_hz, to_hz, num_channels)
    parts = [stream.push(block) for block in np.split(audio, sorted(cuts))]
    found = np.concatenate([*parts, stream.finish()])
    expected = resample(audio, from_hz, to_hz) if num_samples else audio
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)


@settings(max_examples=60, deadline=None)
@given(RATES, RATES, st.integers(1, 5_000), st.integers(1, 3))
def test_resampling_gives_the_length_that_the_rates_say(
    from_hz: int, to_hz: int, num_samples: int, num_channels: int
) -> None:
    found = resample(noise(num_samples, num_channels), from_hz, to_hz)
    assert found.dtype == np.float32
    assert found.shape[1] == num_channels
    assert abs(len(found) - num_samples * to_hz / from_hz) < 1
    assert len(found) >= 1


def test_one_sample_never_becomes_none() -> None:
    assert resample(np.ones(1, np.float32), 96_000, 8_000).shape == (1,)
    assert resample(np.ones((1, 2), np.float32), 96_000, 8_000).shape == (1, 2)


def test_a_tone_keeps_its_pitch_and_loudness() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100).astype(np.float32)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    found = resample(tone, 44_100, 16_000)
    assert np.abs(found - expected)[500:-500].max() < 1e-3


def test_mono_is_the_mean_of_the_channels() -> None:
    audio = np.array([[1.0, -1.0], [0.5, 0.25]], np.float32)
    assert to_mono(audio).tolist() == [0.0, 0.375]
    assert to_mono(audio[:, :1]).tolist() == [1.0, 0.5]
    assert to_mono(audio[:, 0]).tolist() == [1.0, 0.5]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 3000), max_size=4),
    st.floats(0, 0.3),
    st.none() | st.floats(0.001, 0.3),
    st.sampled_from([(), (0,), (1,), (0, 1)]),
)
def test_a_window_of_a_file_is_read_whatever_its_blocks(
    cuts: list[int], start: float, limit: float | None, channels: tuple[int, ...]
) -> None:
    rate, audio = 10_000, noise(3000, 2)
    stream = fake(audio, rate, *cuts)
    blocks = mono_blocks(stream, rate, start_seconds=start, limit_seconds=limit, channels=channels)
    found = np.concatenate(list(blocks))
    first = round(start * rate)
    last = len(audio) if limit is None else first + round(limit * rate)
    part = audio[first:last]
    expected = part[:, list(channels or (0, 1))].mean(axis=1, dtype=np.float32)
    assert np.array_equal(found, expected)


def test_mono_blocks_come_at_the_other_rate() -> None:
    audio, rate = speech(2)
    found = np.concatenate(list(mono_blocks(fake(audio, rate, 7, 5000), 8_000)))
    assert np.allclose(found, resample(to_mono(audio), rate, 8_000), atol=1e-6)


def test_a_channel_is_picked_and_stays_a_channel() -> None:
    audio = noise(10, 3)
    assert np.array_equal(pick_channels(audio, [1]), audio[:, [1]])
    assert pick_channels(audio, []) is audio


@pytest.mark.parametrize("num_channels", range(1, 9))
def test_mono_does_not_depend_on_how_the_audio_is_blocked(num_channels: int) -> None:
    audio = noise(1000, num_channels)
    for size in (1, 7, 256):
        blocks = [to_mono(audio[at : at + size]) for at in range(0, len(audio), size)]
        assert np.array_equal(np.concatenate(blocks), to_mono(audio))


def test_a_channel_that_is_not_there_is_rejected() -> None:
    with pytest.raises(RejectedError, match="wants channel 2, the file has 2") as caught:
        next(mono_blocks(fake(noise(10, 2), 8_000), 8_000, channels=(0, 2)))
    assert caught.value.reason == UNSUPPORTED
