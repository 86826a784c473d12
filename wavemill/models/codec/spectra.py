"""Spectra, and how far those of decoded audio are off: mel spectra of several window lengths.

As in EnCodec (Defossez et al., arXiv 2210.13438): windows of 64 to 2048 samples, a quarter apart.
The distance is of the spectra and of their logarithms, both L1, as DAC has it (arXiv 2306.06546).

    B batch, N samples, F frames, M mel bands
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.tokenizers.features import mel_bands
from wavemill.tokenizers.seanet.phases import OVERLAP
from wavemill.tokenizers.seanet.spectra import CENTER, LOUDEST, SPREAD, log_magnitudes

WINDOWS = (64, 128, 256, 512, 1024, 2048)
MELS = (5, 10, 20, 40, 80, 80)
"""Bands of each: as many as its bins can tell apart."""
A_BAND = 12
"""Samples of a window for each band, about as above."""
FLOOR = 1e-4
"""Of magnitudes before their logarithm, -80 dB of a full sine's. Higher, and most of what speech
has above its first formant lies beneath; lower, and most of the gradient comes from silence."""


class MelSpectrum(nn.Module):
    """Magnitudes in mel bands, as a share of those of a full-scale sine."""

    window: Tensor
    bands: Tensor

    def __init__(self, sample_rate: int, window: int, mels: int) -> None:
        """Make the window and the bands; they are no weights, and in no checkpoint."""
        super().__init__()
        self.hop = window // 4
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("bands", _bands(window, sample_rate, mels), persistent=False)

    def forward(self, audio_BN: Tensor) -> Tensor:
        """Return magnitudes [B, F, M] of frames that begin every quarter of a window.

        The first is centred on the clip's beginning; silence lies around the clip.
        """
        size = len(self.window)
        padded = functional.pad(audio_BN, (size // 2, size))
        spectrum = torch.stft(
            padded, size, self.hop, window=self.window, center=False, return_complex=True
        )
        # Not abs(): its gradient at silence is none.
        power = torch.view_as_real(spectrum).square().sum(-1)
        magnitudes = (power + FLOOR**2).sqrt() * (2 / self.window.sum())
        return magnitudes.transpose(1, 2) @ self.bands

    def real(self, lengths_B: Tensor, frames: int) -> Tensor:
        """Say which frames are centred on a clip of a length or its end, [B, F] bool."""
        places = torch.arange(frames, device=lengths_B.device) * self.hop
        return places <= lengths_B[:, None]


class MelDistance(nn.Module):
    """How far two clips' mel spectra are apart."""

    def __init__(self, sample_rate: int) -> None:
        """Make the spectra."""
        super().__init__()
        self.spectra = nn.ModuleList(
            MelSpectrum(sample_rate, window, mels)
            for window, mels in zip(WINDOWS, MELS, strict=True)
        )

    def forward(self, found_BN: Tensor, given_BN: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the distance of each clip, [B]: a mean over its frames, bands and windows.

        Args:
            found_BN: float32; silent past the lengths.
            given_BN: likewise.
            lengths_B: samples of each clip.

        """
        total = torch.zeros_like(lengths_B, dtype=torch.float32)
        for spectrum in self.spectra:
            assert isinstance(spectrum, MelSpectrum)
            found, given = spectrum(found_BN), spectrum(given_BN)
            off = (found - given).abs().mean(-1)
            off = off + (found + FLOOR).log().sub((given + FLOOR).log()).abs().mean(-1)
            real = spectrum.real(lengths_B, off.shape[1])
            total = total + (off * real).sum(-1) / real.sum(-1)
        return total / len(self.spectra)


class MagnitudeDistance(nn.Module):
    """How far a clip's magnitudes are off where phases are found for them, and so not heard yet."""

    window: Tensor
    bands: Tensor

    def __init__(self, sample_rate: int, hop: int) -> None:
        """Make the window and the bands; they are no weights."""
        super().__init__()
        self.hop = hop
        size = OVERLAP * hop
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        mels = min(MELS[-1], size // A_BAND)
        self.register_buffer("bands", _bands(size, sample_rate, mels), persistent=False)

    def forward(self, found_BCF: Tensor, given_BN: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the distance of logarithms of bins and of mel bands, [B]: a mean over frames.

        Args:
            found_BCF: as `PhaseSearch` takes it.
            given_BN: float32; silent past the lengths.
            lengths_B: samples of each clip.

        """
        found_BFC = (found_BCF.float().transpose(1, 2) * SPREAD + CENTER).clamp(max=LOUDEST)
        frames = found_BFC.shape[1]
        reach = (frames - 1) * self.hop + len(self.window)
        windows = functional.pad(given_BN, (0, max(0, reach - given_BN.shape[1])))
        windows = windows[:, :reach].unfold(-1, len(self.window), self.hop)
        given_BFC = log_magnitudes(windows, self.window)
        off_BF = (found_BFC - given_BFC).abs().mean(-1)
        found, given = (logs.exp() @ self.bands for logs in (found_BFC, given_BFC))
        off_BF = off_BF + ((found + FLOOR).log() - (given + FLOOR).log()).abs().mean(-1)
        starts = torch.arange(frames, device=lengths_B.device) * self.hop
        real_BF = starts < lengths_B[:, None]
        off_B: Tensor = (off_BF * real_BF).sum(-1) / real_BF.sum(-1).clamp(min=1)
        return off_B


def _bands(window: int, sample_rate: int, mels: int) -> Tensor:
    # By way of numbers: an array's memory has no place among tensors without data.
    return torch.tensor(mel_bands(window, sample_rate, mels, (0.0, sample_rate / 2)).tolist())
