"""Kaldi's filter bank of whole batches, which all models hear that hear mel bands.

Shapes end names: B batch, N samples, F frames, M mel bins.
"""

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.tokenizers.beats_fbank import (
    FBANK_MEAN,
    FBANK_STD,
    HOP_SAMPLES,
    WINDOW_SAMPLES,
    filter_bank,
)

_RAGGED = -(-WINDOW_SAMPLES // HOP_SAMPLES) - 1
"""Frames at the end of a row that would hear the row after it."""


def batch_fbank(audio_BN: Tensor, frames: int) -> Tensor:
    """Return the first frames of each row's filter bank, normalised as BEATs' is.

    Args:
        audio_BN: float32 in [-1, 1] at 16 kHz; rows too short for so many frames are filled with
            silence.
        frames: how many, F; frame f hears the samples 160 f to 160 f + 399.

    Returns:
        [B, F, 128] float32; no frame depends on another row.

    """
    # All rows in one go, end to end: each begins where a frame does.
    row_frames = frames + _RAGGED
    row_samples = row_frames * HOP_SAMPLES
    short = max(row_samples - audio_BN.shape[1], 0)
    rows_BN = functional.pad(audio_BN, (0, short))[:, :row_samples]
    with torch.no_grad(), torch.autocast(audio_BN.device.type, enabled=False):
        fbank_FM = filter_bank(rows_BN.float().flatten())
        fbank_FM = functional.pad(fbank_FM, (0, 0, 0, _RAGGED))
        fbank_BFM: Tensor = fbank_FM.unflatten(0, (len(rows_BN), row_frames))[:, :frames]
        return (fbank_BFM - FBANK_MEAN) / (2 * FBANK_STD)
