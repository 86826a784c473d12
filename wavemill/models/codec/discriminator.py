"""The adversary: convolutions over complex spectra of several window lengths.

EnCodec's MS-STFT discriminator (Defossez et al., arXiv 2210.13438): real and imaginary parts as
channels, strides along frequency alone, dilations along time. What is padded is silenced after
every layer, so that it changes nothing.

    B batch, N samples, F frames, H bins, C channels
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

KERNEL = (3, 9)
"""Frames and bins."""
DILATIONS = (1, 2, 4)
LAST_KERNEL = (3, 3)
SLOPE = 0.2


class Judgement(NamedTuple):
    """What one scale thinks of clips."""

    logits: Tensor
    """[B, F, H], float32, above 0 where it seems real."""
    features: list[Tensor]
    """Of each layer, [B, C, F, H]."""
    real: Tensor
    """Which frames are no padding, [B, F] bool."""


class Discriminator(nn.Module):
    """One scale each of several window lengths."""

    def __init__(self, filters: int, windows: tuple[int, ...]) -> None:
        """Draw first weights."""
        super().__init__()
        self.scales = nn.ModuleList(Scale(filters, window) for window in windows)

    def forward(self, audio_BN: Tensor, lengths_B: Tensor) -> list[Judgement]:
        """Judge clips, each by its samples alone; past them they are silent."""
        return [scale(audio_BN, lengths_B) for scale in self.scales]


class Scale(nn.Module):
    """The discriminator of one window length; frames are a quarter of it apart."""

    window: Tensor

    def __init__(self, filters: int, window: int) -> None:
        """Draw first weights."""
        super().__init__()
        self.hop = window // 4
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        layers = [_convolution(2, filters, KERNEL)]
        layers += [_convolution(filters, filters, KERNEL, rate) for rate in DILATIONS]
        layers += [_convolution(filters, filters, LAST_KERNEL)]
        self.layers = nn.ModuleList(layers)
        self.last = _convolution(filters, 1, LAST_KERNEL)

    def forward(self, audio_BN: Tensor, lengths_B: Tensor) -> Judgement:
        """Judge clips."""
        x_BCFH = self._spectrum(audio_BN)
        places = torch.arange(x_BCFH.shape[2], device=lengths_B.device) * self.hop
        real_BF = places <= lengths_B[:, None]
        shown = real_BF[:, None, :, None]
        features = []
        for layer in self.layers:
            x_BCFH = functional.leaky_relu(layer(x_BCFH), SLOPE) * shown
            features.append(x_BCFH)
        return Judgement(self.last(x_BCFH)[:, 0].float(), features, real_BF)

    def _spectrum(self, audio_BN: Tensor) -> Tensor:
        """Return real and imaginary parts, [B, 2, F, H], of about one size whatever the window."""
        with torch.autocast(audio_BN.device.type, enabled=False):
            size = len(self.window)
            spectrum = torch.stft(
                functional.pad(audio_BN.float(), (size // 2, size)),
                size,
                self.hop,
                window=self.window,
                center=False,
                return_complex=True,
            )
            parts = torch.view_as_real(spectrum) / self.window.square().sum().sqrt()
        return parts.permute(0, 3, 2, 1)


def _convolution(channels: int, outputs: int, kernel: tuple[int, int], rate: int = 0) -> nn.Module:
    """Make a convolution; with a rate it is dilated along time and strides along frequency."""
    dilation, stride = ((rate, 1), (1, 2)) if rate else ((1, 1), (1, 1))
    frames, bins = (size // 2 * step for size, step in zip(kernel, dilation, strict=True))
    layer = nn.Conv2d(
        channels, outputs, kernel, stride=stride, dilation=dilation, padding=(frames, bins)
    )
    # torch's own weights make each layer quieter than the last, until logits are all but 0: then it
    # tells nothing apart for hundreds of steps.
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    normed: nn.Module = weight_norm(layer)
    return normed
