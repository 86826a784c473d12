"""Audio of magnitudes alone: each window gets the phases that agree best with those before it.

Zhu, Beauregard and Wyse, "Real-Time Signal Estimation From Modified Short-Time Fourier Transform
Magnitude Spectra", IEEE TASLP 15(5), 2007: Griffin and Lim's iterations, window by window. So it is
causal, and a stream of blocks gives what the whole does.

    B batch, C bins, F frames, W samples of a window
"""

import math

import torch
from torch import Tensor, nn

from wavemill.tokenizers.seanet.layers import State
from wavemill.tokenizers.seanet.spectra import CENTER, FLOOR, LOUDEST, SPREAD

OVERLAP = 3
"""Frames that a window spans."""
ITERATIONS = 5
EDGE = 0.05
"""Of squared windows: where they add up to less, nothing of use is known."""
SILENT = 1e-6
"""Where windows before tell of less than this, a bin has the phase of a chirp."""


class PhaseSearch(nn.Module):
    """Logarithms of magnitudes, F frames to F * hop samples; window t begins with frame t."""

    window: Tensor
    before: Tensor
    whole: Tensor
    chirp: Tensor

    def __init__(self, hop: int) -> None:
        """Make the window; it is no weight."""
        super().__init__()
        self.hop = hop
        size = OVERLAP * hop
        self.channels = size // 2 + 1
        window_W = torch.hann_window(size)
        square_W = window_W.square()
        before_W = torch.zeros(size)
        for shift in range(1, OVERLAP):  # windows that began so many frames ago
            before_W[: size - shift * hop] += square_W[shift * hop :]
        # All frequencies one after the other (Schroeder, 1970), not all at once.
        turns = torch.arange(self.channels).square() / (2 * self.channels)
        chirp = torch.polar(torch.ones(self.channels), 2 * math.pi * turns)
        for name, values in (
            ("window", window_W), ("before", before_W), ("whole", before_W + square_W),
            ("chirp", torch.view_as_real(chirp)),
        ):  # fmt: skip
            self.register_buffer(name, values, persistent=False)

    def forward(self, x_BCF: Tensor, state: State | None = None) -> Tensor:
        """Return [B, 1, N].

        Args:
            x_BCF: of each bin the logarithm of its magnitude, as `Analysis` gives it.
            state: of the stream.

        """
        with torch.autocast(x_BCF.device.type, enabled=False):
            shares = (x_BCF.float() * SPREAD + CENTER).clamp(max=LOUDEST).exp()
            # `Analysis` has put the floor there: what is at it is silent.
            magnitudes = (shares.square() - FLOOR**2).clamp(min=0).sqrt()
            # A full-scale sine has half of the window's sum.
            magnitudes_FBC = magnitudes.permute(2, 0, 1) * (self.window.sum() / 2)
            kept = state.get(self) if state is not None else None
            sums_BW = kept[0] if kept else magnitudes.new_zeros(len(x_BCF), OVERLAP * self.hop)
            blocks = []
            for magnitudes_BC in magnitudes_FBC:
                sums_BW = sums_BW + self._window(magnitudes_BC, sums_BW) * self.window
                blocks.append(sums_BW[:, : self.hop])
                sums_BW = torch.nn.functional.pad(sums_BW[:, self.hop :], (0, self.hop))
            if state is not None:
                state[self] = (sums_BW,)
            audio_BFN = torch.stack(blocks, dim=1) / self.whole[: self.hop]
            return audio_BFN.flatten(1)[:, None]

    def _window(self, magnitudes_BC: Tensor, sums_BW: Tensor) -> Tensor:
        """Return a window's samples [B, W], given what the windows before add up to."""
        both_W = self.whole.clamp(min=EDGE)
        heard_BW = sums_BW / self.before.clamp(min=EDGE)
        chirp_C = torch.view_as_complex(self.chirp)
        found_BW = heard_BW
        for _ in range(ITERATIONS):
            bins = torch.fft.rfft(heard_BW * self.window)
            sizes = bins.abs()
            directions = torch.where(sizes > SILENT, bins / sizes.clamp(min=SILENT), chirp_C)
            found_BW = torch.fft.irfft(directions * magnitudes_BC, n=len(self.window))
            heard_BW = (sums_BW + found_BW * self.window) / both_W
        return found_BW
