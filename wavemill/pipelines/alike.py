"""Whether two waves are of one recording: how well they agree where they agree best."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.pipelines.fingerprint import WAVE_RATE, Wave

SIMILAR = 0.88
"""The least correlation of copies; `docs/decisions` has what was measured of copies and others."""
LEAST_SECONDS = 0.3
"""Of shorter ones too many are alike: one vowel is as good as another."""
LAG_SECONDS = 0.4
"""How far a copy may lie before or behind; codecs and cuts move audio by up to 0.2 s."""
_LEAST = round(LEAST_SECONDS * WAVE_RATE)
_MOST_LAG = round(LAG_SECONDS * WAVE_RATE)
_LOCAL_SECONDS = 0.25
_LOCAL_LIMIT = 0.6
"""The largest part of a stretch's power that may differ: one other word makes another clip."""
_CUT_SECONDS = 0.06
_CUT_SHARE = 0.25
"""So much may be missing at either end of a copy, and no more than this share of it."""
_LOWEST_HZ = 70.0
"""Telephony and codecs take away, or turn the phase of, what lies below."""
_PIECE_SECONDS = 60.0
_FINER = 4
_HOPELESS = 0.7
"""Of `SIMILAR`: correlation at whole samples that no fraction of a sample can mend."""

Floats = npt.NDArray[np.floating[Any]]


def similarity(one: Wave, other: Wave) -> float:
    """Compare two waves [N] and [M] at `WAVE_RATE`.

    Long ones are compared a piece at a time, and are as similar as the least similar pieces.

    Returns:
        The normalised correlation at the best lag, about 0 to 1; 0 where a stretch of a quarter of
        a second differs, the lengths do by more than `LAG_SECONDS`, or one is shorter than
        `LEAST_SECONDS`.

    """
    if abs(len(one) - len(other)) > _MOST_LAG or min(len(one), len(other)) < _LEAST:
        return 0.0
    pieces = max(1, round(min(len(one), len(other)) / (_PIECE_SECONDS * WAVE_RATE)))
    edges = np.arange(1, pieces) * (min(len(one), len(other)) // pieces)
    lag = _lag(one[: edges[0]], other[: edges[0]]) if pieces > 1 else 0
    least = 1.0
    for a, b in zip(np.split(one, edges), np.split(other, edges - lag), strict=True):
        least = min(least, _piece_similarity(a, b))
        if least < SIMILAR:
            break
    return least


def _piece_similarity(one: Wave, other: Wave) -> float:
    most, size = _MOST_LAG, _size(one, other)
    a, b = _spectrum(one, size), _spectrum(other, size)
    powers = _power(a, size), _power(b, size)
    if not all(powers):
        return 0.0
    scale = float(np.sqrt(powers[0] * powers[1]))
    cross = a * b.conj()
    if _peak(np.fft.irfft(cross, size), most)[1] < _HOPELESS * SIMILAR * scale:
        return 0.0
    finer = _FINER * size
    lag, peak = _peak(np.fft.irfft(cross, finer) * _FINER, most * _FINER)
    turn = np.exp(-2j * np.pi * np.arange(len(b)) * (lag / finer))
    gain = peak / powers[1]
    ahead = max(0, -round(lag / _FINER))  # so that neither begins before 0
    still = np.roll(np.fft.irfft(a, size), ahead)
    moved = np.roll(gain * np.fft.irfft(b * turn, size), ahead)
    _clear_cuts(still, moved, ahead, len(one), len(other), ahead + round(lag / _FINER))
    if _worst_stretch(still, moved) > _LOCAL_LIMIT:
        return 0.0
    return float(gain * peak / np.sqrt(np.sum(still**2) * np.sum(moved**2)))


def _clear_cuts(
    still: Floats, moved: Floats, start: int, num_still: int, num_moved: int, start_moved: int
) -> None:
    """Blank out what one of two waves has before or after the other: it may have been cut off."""
    free = int(min(_CUT_SECONDS * WAVE_RATE, _CUT_SHARE * min(num_still, num_moved)))
    begin = max(start, start_moved)
    end = min(start + num_still, start_moved + num_moved)
    for wave in (still, moved):
        wave[max(begin - free, 0) : begin] = 0
        wave[end : end + free] = 0


def _lag(one: Wave, other: Wave) -> int:
    """Return how many samples later the same sound comes in `one`."""
    size = _size(one, other)
    cross = _spectrum(one, size) * _spectrum(other, size).conj()
    return _peak(np.fft.irfft(cross, size), _MOST_LAG)[0]


def _size(one: Wave, other: Wave) -> int:
    """Return a power of two in which two waves can be moved against each other."""
    return 1 << (max(len(one), len(other)) + _MOST_LAG).bit_length()


def _spectrum(wave: Wave, size: int) -> npt.NDArray[np.complexfloating[Any]]:
    spectrum = np.fft.rfft(wave.astype(np.float32), size)
    spectrum[: int(_LOWEST_HZ * size / WAVE_RATE) + 1] = 0
    spectrum[-1] = 0
    return spectrum


def _power(spectrum: npt.NDArray[np.complexfloating[Any]], size: int) -> float:
    parts = spectrum.view(spectrum.real.dtype)
    return float(np.einsum("n,n->", parts, parts)) * 2 / size  # in one thread, unlike `vdot`


def _peak(correlation: Floats, most: int) -> tuple[int, float]:
    """Return the best lag within `most`, and the correlation there."""
    near = np.concatenate([correlation[-most:], correlation[: most + 1]])
    best = int(near.argmax())
    return best - most, float(near[best])


def _worst_stretch(one: Floats, other: Floats) -> float:
    """Return the largest share of power that differs, against the mean of loud stretches, too."""
    step = round(_LOCAL_SECONDS * WAVE_RATE / 4)
    apart = _stretches((one - other) ** 2, step)
    power = _stretches((one**2 + other**2) / 2, step)
    mean = power[power > 0.05 * power.max()].mean()
    return float((apart / (power + 0.3 * mean)).max())


def _stretches(values: Floats, step: int) -> Floats:
    """Add up overlapping stretches of four steps."""
    sums = np.add.reduceat(values, np.arange(0, len(values), step))
    return np.convolve(sums, np.ones(4))
