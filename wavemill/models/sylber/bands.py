"""Spectra of HuBERT's frames: log-mel bands, by which a random model learns to hear.

The published Sylber begins with SDHuBERT, and so with HuBERT's weights. Frames of a random HuBERT
are hardly alike from one to the next, so that means over syllables say nothing: a small one that
begins at random learns log-mel bands first.

Shapes end names: B batch, N samples, F frames, W samples of a frame, K frequencies, M bands.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.tokenizers.features import mel_bands

HOP, FIELD = 320, 400
"""Samples between HuBERT's frames, and those that each sees."""
BANDS = 40
LIMITS_HZ, RATE = (20.0, 7600.0), 16_000


def power_spectra(wave_BN: Tensor) -> Tensor:
    """Return the power spectra of frames, [B, F, K] float32; of a shorter clip, of one frame."""
    wave_BN = functional.pad(wave_BN, (0, max(0, FIELD - wave_BN.shape[1])))
    pieces_BFW = wave_BN.unfold(1, FIELD, HOP) * torch.hann_window(FIELD, device=wave_BN.device)
    return torch.fft.rfft(pieces_BFW.float()).abs().square()  # type: ignore[no-any-return]


class Bands(nn.Module):
    """Guesses the log-mel bands of frames from features."""

    filters: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.guess = nn.Linear(width, BANDS)
        matrix_KM = mel_bands(FIELD, RATE, BANDS, LIMITS_HZ)
        # By way of numbers: an array's memory lies on a CPU, whatever the device of a model.
        self.register_buffer("filters", torch.tensor(matrix_KM.tolist()), persistent=False)

    def forward(self, features_BFD: Tensor, wave_BN: Tensor) -> Tensor:
        """Return the squared error of each frame, summed over bands, [B, F].

        Args:
            features_BFD: of the frames.
            wave_BN: clips of mean 0 and deviation 1; silence has bands of 0.

        """
        bands_BFM = (power_spectra(wave_BN) @ self.filters).log1p()
        return (self.guess(features_BFD).float() - bands_BFM).square().sum(2)  # type: ignore[no-any-return]
