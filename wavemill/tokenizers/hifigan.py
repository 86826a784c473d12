"""A causal HiFi-GAN generator: features to audio.

Kong et al., "HiFi-GAN", arXiv 2010.05646, with SiLU and averaged parallel blocks as in
Fish-Speech's firefly codec. Names of submodules are those of the published weights.

    B batch, C channels, T time
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.tokenizers.convnext import CausalConv, CausalUpConv


class ResidualBlock(nn.Module):
    """Pairs of dilated convolutions of one kernel, each pair added."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        """Set it up."""
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T]."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = second(functional.silu(first(functional.silu(x)))) + x
        return x


class ParallelBlocks(nn.Module):
    """The mean of residual blocks of several kernels."""

    def __init__(self, channels: int, kernels: Sequence[int], dilations: Sequence[int]) -> None:
        """Set it up."""
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(channels, k, dilations) for k in kernels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T]."""
        return torch.stack([block(x) for block in self.blocks]).mean(dim=0)


class HifiganHead(nn.Module):
    """Transposed convolutions, each halving the channels, with parallel blocks between."""

    def __init__(
        self,
        channels: int,
        *,
        first_channels: int = 512,
        rates: Sequence[int] = (8, 8, 2, 2, 2),
        up_kernels: Sequence[int] = (16, 16, 4, 4, 4),
        kernels: Sequence[int] = (3, 7, 11),
        dilations: Sequence[int] = (1, 3, 5),
        edge_kernel: int = 13,
    ) -> None:
        """Set it up for features of `channels`; it gives prod(rates) samples a step."""
        super().__init__()
        widths = [first_channels >> place for place in range(len(rates) + 1)]
        self.conv_pre = CausalConv(channels, first_channels, edge_kernel, weight_norm=True)
        self.ups = nn.ModuleList(
            CausalUpConv(wide, narrow, kernel, rate, weight_norm=True)
            for wide, narrow, kernel, rate in zip(
                widths[:-1], widths[1:], up_kernels, rates, strict=True
            )
        )
        self.resblocks = nn.ModuleList(
            ParallelBlocks(width, kernels, dilations) for width in widths[1:]
        )
        self.conv_post = CausalConv(widths[-1], 1, edge_kernel, weight_norm=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to audio in [-1, 1], [B, 1, T * prod(rates)]."""
        x = self.conv_pre(x)
        for up, blocks in zip(self.ups, self.resblocks, strict=True):
            x = blocks(up(functional.silu(x)))
        return torch.tanh(self.conv_post(functional.silu(x)))


def _conv(channels: int, kernel: int, dilation: int) -> CausalConv:
    return CausalConv(channels, channels, kernel, dilation=dilation, weight_norm=True)
