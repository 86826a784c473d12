"""What is a copy and what is not, by fingerprints."""

import itertools

import numpy as np
import pytest

from tests.audio.audio_files import Samples
from tests.pipelines.copies import CHANGES, RATE, speech
from wavemill.audio import resample
from wavemill.pipelines.alike import SIMILAR, similarity
from wavemill.pipelines.fingerprint import EMBEDDING_SIZE, SAMPLE_RATE, Wave, embed, wave_of


def heard(clip: Samples, rate: int = RATE) -> Samples:
    return resample(clip, rate, SAMPLE_RATE)


def tone(hz: float) -> Samples:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    wave: Samples = np.sin(2 * np.pi * hz * times).astype(np.float32)
    return wave


@pytest.fixture(scope="module")
def waves() -> list[Wave]:
    return [wave_of(heard(clip)) for clip in speech()]


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_alike_and_near(change: str, waves: list[Wave]) -> None:
    for clip, wave in list(zip(speech(), waves, strict=True))[:15]:
        copy = heard(*CHANGES[change](clip))
        assert similarity(wave, wave_of(copy)) >= SIMILAR
        assert similarity(wave_of(copy), wave) >= SIMILAR
        assert embed(copy) @ embed(heard(clip)) > 0.95


def test_clips_of_one_voice_are_not_alike(waves: list[Wave]) -> None:
    pairs = [
        similarity(one, other)
        for one, other in itertools.combinations(waves, 2)
        if abs(len(one) - len(other)) < 1600
    ]
    assert len(pairs) > 200
    assert max(pairs) < SIMILAR - 0.05


def test_another_word_in_the_middle_makes_another_clip(waves: list[Wave]) -> None:
    long = max(waves, key=len)
    other = long.copy()
    middle = len(other) // 2
    other[middle : middle + 1200] = other[middle : middle + 1200][::-1]
    assert similarity(long, long) > 0.999
    assert similarity(long, other) == 0


def test_more_than_a_lag_of_sound_added_makes_another_clip(waves: list[Wave]) -> None:
    for wave in waves[:10]:
        assert similarity(wave, np.concatenate([wave, wave[:2000]])) == 0


def test_a_long_clip_is_as_alike_as_its_least_alike_minute() -> None:
    dice = np.random.default_rng(2)
    long = dice.integers(-100, 100, 4000 * 150).astype(np.int8)
    late = np.concatenate([np.zeros(700, np.int8), long])
    assert similarity(long, late) > 0.99
    late[-4000 * 20 :] = dice.integers(-100, 100, 4000 * 20)
    assert similarity(long, late) < SIMILAR


@pytest.mark.parametrize("hz", [150.0, 440.0, 2500.0, 3300.0])
def test_tones_are_alike_if_they_are_the_same(hz: float) -> None:
    assert similarity(wave_of(tone(hz)), wave_of(tone(hz) * np.float32(0.3))) > 0.99
    assert similarity(wave_of(tone(hz)), wave_of(tone(hz * 1.02))) < SIMILAR


def test_a_clip_without_sound_is_like_nothing() -> None:
    silence = np.zeros(8000, np.float32)
    assert similarity(wave_of(silence), wave_of(silence)) == 0
    assert not embed(silence).any()
    # What is neither below nor above 2 kHz is lost on both sides of the filter.
    assert not wave_of(tone(1999.0)).any()


def test_vowels_are_too_short_to_be_told_apart() -> None:
    long = tone(440.0)
    assert similarity(wave_of(long[: SAMPLE_RATE // 3]), wave_of(long[: SAMPLE_RATE // 3])) > 0.99
    assert similarity(wave_of(long[: SAMPLE_RATE // 4]), wave_of(long[: SAMPLE_RATE // 4])) == 0
    assert similarity(wave_of(long[: SAMPLE_RATE // 4]), wave_of(long[: SAMPLE_RATE // 3])) == 0


@pytest.mark.parametrize("num_samples", [1, 2, 79, 8000])
def test_a_clip_may_be_of_any_length(num_samples: int) -> None:
    clip = np.random.default_rng(3).normal(0, 0.1, num_samples).astype(np.float32)
    assert embed(clip).shape == (EMBEDDING_SIZE,)
    assert np.linalg.norm(embed(clip)) == pytest.approx(1, abs=1e-3)
    assert 0 <= similarity(wave_of(clip), wave_of(clip)) < 1.001
