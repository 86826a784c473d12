"""Noise and rooms: as loud and as long as was asked for."""

import numpy as np
import pytest

from wavemill.hypotheses.noise import add_noise, babble, pink, power, white
from wavemill.hypotheses.reverb import response, reverberate

RATE = 16_000


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def speech(seconds: float = 2.0) -> np.ndarray:
    return (0.1 * np.sin(np.arange(round(seconds * RATE)) / 20)).astype(np.float32)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
@pytest.mark.parametrize("kind", ["white", "pink", "babble"])
def test_the_ratio_is_the_one_asked_for(kind: str, snr_db: float) -> None:
    clip = speech()
    made = {
        "white": lambda: white(len(clip), draw()),
        "pink": lambda: pink(len(clip), RATE, draw()),
        "babble": lambda: babble(len(clip), [speech(0.5), white(RATE, draw(1))], draw()),
    }[kind]()
    noisy = add_noise(clip, made, snr_db)
    assert noisy.dtype == np.float32
    assert 10 * np.log10(power(clip) / power(noisy - clip)) == pytest.approx(snr_db, abs=0.01)


def test_silence_stays_as_it_is() -> None:
    silence = np.zeros(RATE, np.float32)
    assert np.array_equal(add_noise(silence, white(RATE, draw()), 10), silence)
    assert np.array_equal(reverberate(silence, RATE, 0.5, draw()), silence)


def test_pink_noise_loses_three_decibels_an_octave() -> None:
    spectrum = np.abs(np.fft.rfft(pink(1 << 17, RATE, draw()))) ** 2
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    bands = [spectrum[(hertz >= low) & (hertz < 2 * low)].mean() for low in (200, 400, 800, 1600)]
    assert 10 * np.diff(np.log10(bands)) == pytest.approx([-3.01] * 3, abs=0.4)


def test_a_room_falls_by_sixty_decibels_in_its_time() -> None:
    room = response(RATE, 0.6, draw())
    energy = np.convolve(room[1:] ** 2, np.ones(400), "valid")
    places = np.arange(800, 8000, 400)
    slope = np.polyfit(places / RATE, 10 * np.log10(energy[places]), 1)[0]
    assert slope == pytest.approx(-60 / 0.6, rel=0.1)
    assert (room[1:] ** 2).sum() == pytest.approx(1.0, rel=1e-3)


def test_what_is_heard_in_a_room_is_as_long_and_as_loud() -> None:
    clip = speech()
    heard = reverberate(clip, RATE, 0.4, draw())
    assert heard.shape == clip.shape
    assert power(heard) == pytest.approx(power(clip), rel=1e-4)
    assert np.array_equal(heard, reverberate(clip, RATE, 0.4, draw()))
    assert not np.array_equal(heard, reverberate(clip, RATE, 0.4, draw(1)))
