"""Noise at a given signal-to-noise ratio: white, pink, or the babble of voices.

Pink noise has power of 1/f, made in the frequency domain. Babble is several stretches of
recordings, added up. All of it is a pure function of the clip, the settings and a seed.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

WHITE, PINK, BABBLE = "white", "pink", "babble"
KINDS = (WHITE, PINK, BABBLE)
VOICES = 6
"""Stretches that are added up."""
LOWEST_HZ = 20.0
"""Below it pink noise is no louder."""


def add_noise(clip: Audio, noise: Audio, snr_db: float) -> Audio:
    """Add noise so that the clip's power is `snr_db` over its own; silence stays as it is.

    Args:
        clip: [N].
        noise: [N].
        snr_db: of the whole clip's mean powers.

    """
    spoken, other = power(clip), power(noise)
    if not spoken or not other:
        return clip
    gain = np.sqrt(spoken / other) * 10 ** (-snr_db / 20)
    noisy: npt.NDArray[np.float32] = (clip + gain * noise).astype(np.float32)
    return noisy


def white(num_samples: int, draw: np.random.Generator) -> Audio:
    """Return noise that is equally loud at all frequencies, [N]."""
    return draw.standard_normal(num_samples, dtype=np.float32)


def pink(num_samples: int, sample_rate: int, draw: np.random.Generator) -> Audio:
    """Return noise that loses 3 dB an octave, [N]."""
    spectrum = np.fft.rfft(draw.standard_normal(num_samples))
    hertz = np.fft.rfftfreq(num_samples, 1 / sample_rate)
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, LOWEST_HZ)), num_samples)
    return shaped.astype(np.float32)


def babble(num_samples: int, voices: Sequence[Audio], draw: np.random.Generator) -> Audio:
    """Return several stretches of voices, equally loud, added up, [N]."""
    total = np.zeros(num_samples, np.float64)
    for _ in range(VOICES):
        voice = voices[int(draw.integers(len(voices)))]
        start = int(draw.integers(len(voice)))
        stretch = np.resize(np.roll(voice, -start), num_samples)
        total += stretch / max(np.sqrt(power(stretch)), 1e-9)
    return total.astype(np.float32)


def power(audio: Audio) -> float:
    """Return the mean square of audio."""
    return float(np.mean(np.square(audio, dtype=np.float64))) if len(audio) else 0.0
