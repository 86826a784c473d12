"""What is measured of audio, against audio of which it is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.audio_files import Samples
from tests.conftest import SPEECH
from wavemill.audio import flac_to_float
from wavemill.pipelines.measures import Meter
from wavemill.records import Measures

RATE = 16_000
PROMPTS = sorted((SPEECH / "audio").glob("*.flac"))[:20]


def measure(audio: Samples, cuts: list[int] | None = None, rate: int = RATE) -> Measures:
    """Measure [N] or [N, C], which comes in blocks."""
    meter = Meter(rate)
    for block in np.split(audio.reshape(len(audio), -1), sorted(cuts or [])):
        if len(block):
            meter.push(block.astype(np.float32))
    return meter.finish()


def tone(peak: float, seconds: float = 1.0) -> Samples:
    times = np.arange(round(seconds * RATE)) / RATE
    wave: Samples = (peak * np.sin(2 * np.pi * 173.3 * times)).astype(np.float32)
    return wave


def speech() -> list[Samples]:
    clips = [flac_to_float(path.read_bytes()) for path in PROMPTS]
    assert {rate for _, rate in clips} == {RATE}
    return [clip[:, 0] for clip, _ in clips]


@given(
    st.integers(1, 3000),
    st.integers(1, 2),
    st.lists(st.integers(0, 3000), max_size=8),
    st.floats(0.01, 4),
)
def test_how_audio_is_blocked_does_not_show(
    num_samples: int, num_channels: int, cuts: list[int], gain: float
) -> None:
    dice = np.random.default_rng(num_samples)
    steps = np.round(dice.normal(0, gain, (num_samples, num_channels)) * 4)
    audio = (steps / 4).astype(np.float32)
    assert measure(audio, cuts) == measure(audio)


@pytest.mark.parametrize("softer", [1.0, 0.5])
@pytest.mark.parametrize("gain", [1.5, 3.0])
def test_clipping_is_the_share_of_samples_at_the_top(gain: float, softer: float) -> None:
    loud = tone(gain)
    clipped = measure(np.clip(loud, -1, 1) * np.float32(softer)).clipping
    assert clipped == pytest.approx(np.mean(np.abs(loud) >= 1), rel=0.01)
    assert measure(loud * np.float32(softer / gain)).clipping < 0.002
    assert measure(loud).clipping == measure(np.clip(loud, -1, 1)).clipping


def test_quiet_audio_of_few_steps_and_real_speech_are_not_clipped() -> None:
    assert measure(np.round(tone(0.09) * 128) / np.float32(128)).clipping == 0
    assert max(measure(clip).clipping for clip in speech()) < 1e-4


@pytest.mark.parametrize("pause", [0.0, 1e-4, 1e-3])
def test_silence_is_the_share_of_pauses(pause: float) -> None:
    dice = np.random.default_rng(1)
    quiet = dice.normal(0, pause, 3 * RATE).astype(np.float32)
    assert measure(np.concatenate([tone(0.5), quiet])).silence == pytest.approx(0.75, abs=0.02)
    assert measure(tone(0.5)).silence == 0
    assert measure(np.zeros(RATE, np.float32)).silence == 1
    assert measure(dice.normal(0, 5e-4, RATE).astype(np.float32)).silence == 1


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0, 30.0])
def test_the_noise_under_speech_is_found_in_its_pauses(snr_db: float) -> None:
    dice = np.random.default_rng(3)
    errors = []
    for clip in speech():
        scale = np.sqrt(np.mean(clip**2)) * 10 ** (-snr_db / 20)
        noisy = clip + dice.normal(0, scale, len(clip)).astype(np.float32)
        errors.append(measure(noisy / max(1, np.abs(noisy).max())).snr_db - snr_db)
    assert np.median(np.abs(errors)) < 1
    # Where there is no pause, speech is taken for noise: never the other way.
    assert max(errors) < 2


def test_speech_is_cleaner_than_noise_and_silence_has_no_signal() -> None:
    assert np.median([measure(clip).snr_db for clip in speech()]) > 35
    dice = np.random.default_rng(4)
    assert measure(dice.normal(0, 0.1, RATE).astype(np.float32)).snr_db < 0
    assert measure(np.zeros(RATE, np.float32)).snr_db == -20
    assert measure(np.zeros(1, np.float32)).snr_db == -20
