"""Spectra in place of samples: what a codec hears of a frame, and how a frame becomes audio.

The layers of a codec then run at the rate of frames and not of samples, and need not learn what a
Fourier transform does: it trains in a fraction of the time. The way back is that of Vocos (Siuzdak,
arXiv 2306.00814): a magnitude and a phase for each bin. Both are causal, as all layers here are.

    B batch, C channels, N samples, F frames
"""

import torch
from torch import Tensor, nn

from wavemill.tokenizers.seanet.layers import State, after_last

ANALYSIS, SYNTHESIS = 4, 2
"""Frames that a window spans."""
FLOOR = 1e-4
"""Of magnitudes before their logarithm, -80 dB of a full-scale sine's."""
CENTER, SPREAD = -7.0, 1.5
"""About the mean and deviation of those logarithms in speech."""
LOUDEST = 1.0
"""Logarithm of the largest magnitude of a bin; 0 is a full-scale sine's."""


def log_magnitudes(windows: Tensor, window_W: Tensor) -> Tensor:
    """Return logarithms of the magnitudes of windows [..., W], as [..., W / 2 + 1]."""
    power = torch.view_as_real(torch.fft.rfft(windows * window_W)).square().sum(-1)
    return (power * (2 / window_W.sum()) ** 2 + FLOOR**2).sqrt().log()


class Analysis(nn.Module):
    """Logarithms of magnitudes, N samples to N / hop frames; a window ends with its frame."""

    window: Tensor

    def __init__(self, hop: int) -> None:
        """Make the window; it is no weight."""
        super().__init__()
        self.hop = hop
        self.channels = ANALYSIS * hop // 2 + 1
        self.register_buffer("window", torch.hann_window(ANALYSIS * hop), persistent=False)

    def forward(self, x_B1N: Tensor, state: State | None = None) -> Tensor:
        """Return [B, C, F]."""
        with torch.autocast(x_B1N.device.type, enabled=False):
            heard_B1N = after_last(self, x_B1N.float(), (ANALYSIS - 1) * self.hop, state)
            windows = heard_B1N[:, 0].unfold(-1, ANALYSIS * self.hop, self.hop)
            logs_BFC = log_magnitudes(windows, self.window)
            return (logs_BFC - CENTER).transpose(1, 2) / SPREAD


class Synthesis(nn.Module):
    """Magnitudes and phases, F frames to F * hop samples: each window goes on into the next."""

    window: Tensor

    def __init__(self, hop: int) -> None:
        """Make the window, which adds up to 1; it is no weight."""
        super().__init__()
        self.hop = hop
        self.channels = 2 * (SYNTHESIS * hop // 2 + 1)
        self.register_buffer("window", torch.hann_window(SYNTHESIS * hop), persistent=False)

    def forward(self, x_BCF: Tensor, state: State | None = None) -> Tensor:
        """Return [B, 1, N].

        Args:
            x_BCF: of each bin the logarithm of its magnitude (as `Analysis` gives it), and after
                all of them of each bin its phase.
            state: of the stream.

        """
        with torch.autocast(x_BCF.device.type, enabled=False):
            logs_BFC, phases_BFC = x_BCF.float().transpose(1, 2).chunk(2, dim=-1)
            magnitudes = (logs_BFC * SPREAD + CENTER).clamp(max=LOUDEST).exp()
            # A full-scale sine has half of as many samples as the window holds.
            bins = torch.polar(magnitudes * self.hop, phases_BFC)
            # After the last block's end, which goes on into this one.
            windows_BFN = torch.fft.irfft(bins, n=SYNTHESIS * self.hop) * self.window
            first_BFN, second_BFN = windows_BFN.chunk(2, dim=-1)
            before_BNF = after_last(self, second_BFN.transpose(1, 2), 1, state)[..., :-1]
            audio_BN: Tensor = (first_BFN + before_BNF.transpose(1, 2)).flatten(1)
            return audio_BN[:, None]
