"""A fingerprint of a segment's sound, by which copies of it are found and told from the rest.

The *embedding* finds candidates: it hardly changes with gain, codec, resampling, a shift or some
noise. The *wave* then tells copies from what only sounds alike: another recording of the same word
has another waveform, a copy of it has the same, whatever became of it on the way.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.audio import resample
from wavemill.pipelines.tokenize import read_clip
from wavemill.spool import UnitReader

SAMPLE_RATE = 8000
"""All that is heard of a segment lies below 4 kHz, which most copies keep."""
WAVE_RATE = 4000
LEAST_SHARE = 0.05
"""Of a clip's power: what has less of it does not stand for the clip."""
HOP_SAMPLES = 160
FFT_SAMPLES = 512
NUM_BANDS = 16
BAND_HZ = (50.0, 3700.0)
FLOOR_DB = 20.0
"""What lies so far below the loud parts counts for nothing: noise may lie there."""
MODULATION_HZ = 0.5 * np.arange(24)
_CHUNK_FRAMES = 4096

Floats = npt.NDArray[np.float32]
Wave = npt.NDArray[np.int8]


def fingerprint_unit(segments: UnitReader) -> Iterator[dict[str, Any]]:
    """Yield a row of `FINGERPRINT_SCHEMA` for every row of the segments, in their order."""
    for index in range(len(segments)):
        about = segments.row(index, ["reject_reason", "num_audio_bytes"])
        if about["reject_reason"] is not None:
            yield {}
            continue
        clip = np.zeros(1, np.float32)
        if about["num_audio_bytes"]:  # not so where shards without audio were read back
            clip = read_clip(segments, index, SAMPLE_RATE)
        yield {
            "embedding": embed(clip).astype("<f2").tobytes(),
            "wave": wave_of(clip).tobytes(),
        }


def wave_of(clip: Floats) -> Wave:
    """Return what lies below 2 kHz in a clip [N] at `SAMPLE_RATE`: [N / 2] in 8 bits.

    Where that is next to nothing, what lies above takes its place, with its frequencies the other
    way round. What leaks through the filter at the ends of a clip looks alike in all of them, so a
    clip that has neither gets zeros, which are like nothing.
    """
    mirror = np.where(np.arange(len(clip)) % 2, np.float32(-1), np.float32(1))
    for heard in (clip, clip * mirror):
        low = resample(heard, SAMPLE_RATE, WAVE_RATE)
        if 2 * np.sum(low**2) > LEAST_SHARE * np.sum(clip**2):
            wave: Wave = np.round(low * (127 / np.abs(low).max())).astype(np.int8)
            return wave
    return np.zeros(len(low), np.int8)


def embed(clip: Floats) -> Floats:
    """Describe how a clip's mel bands rise and fall, wherever in the clip that begins.

    The bands' envelopes are Fourier-transformed over the whole clip. Their magnitudes, and the
    phases between neighbouring bands, do not change when the clip is shifted.

    Args:
        clip: mono, [N] at `SAMPLE_RATE`.

    Returns:
        [528] float32 of length 1; zeros for a clip without sound.

    """
    envelopes = _envelopes(clip)
    spectrum = np.zeros((len(MODULATION_HZ), envelopes.shape[1]), np.complex128)  # [F, B]
    for start in range(0, len(envelopes), _CHUNK_FRAMES):
        part = envelopes[start : start + _CHUNK_FRAMES]
        times = (start + np.arange(len(part))) * (HOP_SAMPLES / SAMPLE_RATE)
        spectrum += np.exp(-2j * np.pi * MODULATION_HZ[:, None] * times) @ part
    spectrum /= max(float(np.linalg.norm(spectrum)), 1e-9)
    cross = spectrum[:, 1:] * spectrum[:, :-1].conj()
    cross /= np.sqrt(np.abs(cross) + 1e-12)
    parts = (np.abs(spectrum), cross.real, cross.imag)
    vector = np.concatenate([part.ravel() for part in parts])
    unit: Floats = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
    return unit


def _envelopes(clip: Floats) -> Floats:
    """Return compressed powers of pairs of mel bands, [T, NUM_BANDS / 2]; of silence, 0."""
    padded = np.pad(clip, (FFT_SAMPLES // 2, FFT_SAMPLES // 2 + HOP_SAMPLES))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    powers = np.concatenate(
        [
            np.abs(np.fft.rfft(frames[at : at + _CHUNK_FRAMES] * _WINDOW)) ** 2 @ _BANK
            for at in range(0, len(frames), _CHUNK_FRAMES)
        ]
    )
    whole = powers.sum(axis=1)
    # The mean of the power weighted by itself: silence put before a clip does not change it.
    loudness = float((whole**2).sum()) / max(float(whole.sum()), 1e-20) / NUM_BANDS
    floor = max(loudness * 10 ** (-FLOOR_DB / 10), 1e-12)
    pairs: Floats = np.log1p(powers / floor).reshape(len(powers), -1, 2).mean(axis=2)
    return pairs


def _mel_bank() -> Floats:
    """Make triangles evenly spread over the mel scale, [FFT_SAMPLES / 2 + 1, NUM_BANDS]."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in BAND_HZ)
    edges = 700 * (10 ** (np.linspace(low, high, NUM_BANDS + 2) / 2595) - 1)
    hz = np.arange(FFT_SAMPLES // 2 + 1)[:, None] * (SAMPLE_RATE / FFT_SAMPLES)
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


_BANK = _mel_bank()
_WINDOW = np.hanning(FFT_SAMPLES + 1)[:-1].astype(np.float32)
EMBEDDING_SIZE = len(MODULATION_HZ) * (NUM_BANDS // 2 + 2 * (NUM_BANDS // 2 - 1))
