"""Spectrograms with no more columns and rows than are shown."""

import numpy as np
import numpy.typing as npt

WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.005
COLUMNS, ROWS = 640, 128
DEEP_DB = 70.0
"""What is that far below the loudest is as dark as silence."""
_LEAST = 1e-12


def spectrogram(audio: npt.NDArray[np.float32], rate: int) -> tuple[npt.NDArray[np.float32], float]:
    """Return levels over frequency and time.

    Args:
        audio: [N], N >= 1.
        rate: in Hz.

    Returns:
        dB below the loudest, -DEEP_DB to 0, [F, T] float32: rows from 0 to half the rate, at most
        `ROWS`; columns around 0, one step, two steps, and so on, at most about `COLUMNS`. And the
        step in seconds.

    """
    from matplotlib import mlab

    size = 1 << max(int(np.ceil(np.log2(WINDOW_SECONDS * rate))), 5)
    hop = max(round(HOP_SECONDS * rate), 1)
    together = max(-(-len(audio) // (hop * COLUMNS)), 1)
    if hop * together < size:  # windows still overlap: take fewer of them
        hop, together = hop * together, 1
    padded = np.pad(audio.astype(np.float64), (size // 2, size))
    power = np.asarray(mlab.specgram(padded, NFFT=size, Fs=rate, noverlap=size - hop)[0])
    power = power[1:, : -(-len(audio) // hop)]
    group = max(len(power) // ROWS, 1)
    power = power[: len(power) // group * group]
    power = power.reshape(-1, group, power.shape[1]).mean(axis=1)
    power = np.maximum.reduceat(power, np.arange(0, power.shape[1], together), axis=1)
    decibels = 10 * np.log10(np.maximum(power, _LEAST) / max(float(power.max()), _LEAST))
    return np.maximum(decibels, -DEEP_DB).astype(np.float32), hop * together / rate
