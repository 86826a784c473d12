"""Causal convolutions and a ConvNeXt encoder over time, as Fish-Speech's firefly codec has them.

Names of submodules are those of the published weights.

    B batch, C channels, T time
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from wavemill.tokenizers.blocks import Window


class CausalConv(nn.Module):
    """A convolution that hears the past alone; a last stride that is not full is filled with 0."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        *,
        dilation: int = 1,
        stride: int = 1,
        groups: int = 1,
        weight_norm: bool = False,
    ) -> None:
        """Set it up; with weight norm, the weights are a direction and a length."""
        super().__init__()
        conv = nn.Conv1d(channels, out_channels, kernel, stride, 0, dilation, groups)
        self.conv = parametrizations.weight_norm(conv) if weight_norm else conv
        span = (kernel - 1) * dilation
        self.window = Window(
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            left=span + 1 - stride,
            right=stride - 1,
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C', ceil(T / stride)]."""
        fill = -x.shape[-1] % self.window.stride
        y: Tensor = self.conv(functional.pad(x, (self.window.left, fill)))
        return y


class CausalUpConv(nn.Module):
    """A transposed convolution of which only what is complete is kept."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        *,
        weight_norm: bool = False,
    ) -> None:
        """Set it up; with weight norm, the weights are a direction and a length."""
        super().__init__()
        conv = nn.ConvTranspose1d(channels, out_channels, kernel, stride)
        self.conv = parametrizations.weight_norm(conv) if weight_norm else conv
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C', T * stride]."""
        y: Tensor = self.conv(x)
        return y[..., : x.shape[-1] * self.stride]


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, T]."""

    def forward(self, x: Tensor) -> Tensor:
        """Norm every step of time by itself."""
        return super().forward(x.mT).mT


class DropPath(nn.Module):
    """While training, leave a residual branch out for some clips, at random."""

    def __init__(self, rate: float) -> None:
        """Set the share of clips."""
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero whole clips of [B, ...]; scale the others up, so that the mean stays."""
        if not self.training or self.rate == 0:
            return x
        keep = x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(1 - self.rate)
        return x * keep / (1 - self.rate)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, then an MLP on the channels, scaled and added."""

    def __init__(self, dim: int, *, kernel: int = 7, drop_path: float = 0.0) -> None:
        """Set it up; the branch starts near zero."""
        super().__init__()
        self.dwconv = CausalConv(dim, dim, kernel, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 1e-6))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T]."""
        y_BTC = self.norm(self.dwconv(x).mT)
        y_BTC = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y_BTC)))
        branch: Tensor = self.drop_path(y_BTC.mT)
        return x + branch


class ConvNeXtEncoder(nn.Module):
    """Stages of blocks, wider and wider; time keeps its rate."""

    def __init__(
        self,
        channels: int,
        depths: Sequence[int],
        dims: Sequence[int],
        *,
        kernel: int = 7,
        drop_path: float = 0.0,
    ) -> None:
        """Set it up; `drop_path` is the last block's, the first has none."""
        super().__init__()
        stem = nn.Sequential(CausalConv(channels, dims[0], 7), ChannelNorm(dims[0], eps=1e-6))
        widenings = [
            nn.Sequential(ChannelNorm(dim, eps=1e-6), nn.Conv1d(dim, wider, 1))
            for dim, wider in pairwise(dims)
        ]
        self.downsample_layers = nn.ModuleList([stem, *widenings])
        rates = iter(torch.linspace(0, drop_path, sum(depths)).tolist())
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(ConvNeXtBlock(dim, kernel=kernel, drop_path=next(rates)) for _ in range(depth))
            )
            for dim, depth in zip(dims, depths, strict=True)
        )
        self.norm = ChannelNorm(dims[-1], eps=1e-6)
        self.apply(init_small)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C', T]."""
        for widen, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(widen(x))
        y: Tensor = self.norm(x)
        return y


def init_small(module: nn.Module) -> None:
    """Draw a layer's first weights as the published ones were: normal, 0.02; no bias."""
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def windows_of(module: nn.Module) -> list[Window]:
    """List the windows of all causal convolutions in a module, in the order they were set up."""
    return [part.window for part in module.modules() if isinstance(part, CausalConv)]
