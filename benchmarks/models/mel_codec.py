"""A codec of nothing but log-mel frames: each becomes the nearest of a codebook, and then sound.

The codebook's frames are drawn from other recordings. Sound is made of them without a model: a
spectrum of non-negative numbers that has those bands (multiplicative updates, Lee and Seung, NIPS
2000), and phases that go with it (Griffin and Lim, 1984, with momentum: Perraudin et al., 2013).
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torchaudio.functional import griffinlim

from wavemill.tokenizers.features import (
    FFT_SAMPLES,
    HOP_SAMPLES,
    WINDOW_SAMPLES,
    mel_matrix,
    num_frames,
)

UPDATES, ITERATIONS = 100, 64
LEAST = 1e-10

Frames = npt.NDArray[np.float32]


def draw(frames: Frames, size: int) -> Frames:
    """Draw some frames, or all if there are no more."""
    chosen = np.random.default_rng(0).permutation(len(frames))[:size]
    return frames[chosen]


def nearest(frames: Frames, codebook: Frames) -> Frames:
    """Return the frames of a codebook that are nearest to some."""
    off = torch.cdist(torch.from_numpy(frames), torch.from_numpy(codebook))
    found: Frames = codebook[off.argmin(1).numpy()]
    return found


def audible(frames: Frames, samples: int) -> Frames:
    """Make sound of log-mel frames, [T, 80] -> [N]."""
    assert len(frames) == num_frames(samples)
    spectrum_KT = _spectrum(torch.from_numpy(frames).exp()).T
    torch.manual_seed(0)
    found_N = griffinlim(
        spectrum_KT.sqrt(),
        window=torch.hann_window(WINDOW_SAMPLES, periodic=False),
        n_fft=FFT_SAMPLES,
        hop_length=HOP_SAMPLES,
        win_length=WINDOW_SAMPLES,
        power=1.0,
        n_iter=ITERATIONS,
        momentum=0.99,
        length=None,
        rand_init=True,
    )
    # There frame t is centred on sample 160 t, in the features on 160 t + 80.
    late_N = functional.pad(found_N, (HOP_SAMPLES // 2, max(samples - len(found_N), 0)))
    audio: Frames = late_N[:samples].numpy()
    return audio


def _spectrum(mel_TM: Tensor) -> Tensor:
    """Return the power spectra, none of them negative, that come near to mel bands, [T, K]."""
    bands_KM = mel_matrix()
    power_TK = mel_TM @ bands_KM.T / bands_KM.sum(1).clamp(min=LEAST)
    for _ in range(UPDATES):
        power_TK = power_TK * (mel_TM @ bands_KM.T) / (power_TK @ bands_KM @ bands_KM.T + LEAST)
    return power_TK
