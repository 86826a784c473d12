"""A HuBERT over a long clip in bounded memory.

What HuBERT makes of a frame depends on the whole clip: its first convolution is normalised over
time, and every frame attends to all others. The convolutions, that norm too, come out here as they
would of the whole clip. Attention is what is cut: it runs in overlapping windows.
"""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

CHUNK_FRAMES = 1000
"""20 s of HuBERT's frames: the first convolution makes 64 times as many of 512 channels."""


class Window(NamedTuple):
    """A stretch of a clip's frames that is run at once."""

    start: int
    end: int
    keep_start: int
    """The frames that are taken from it; those around give context."""
    keep_end: int


def windows(frames: int, longest: int, overlap: int) -> Iterator[Window]:
    """Cut a clip's frames into windows of at most `longest`; short clips are one window."""
    assert longest > 2 * overlap
    begin = 0
    while begin < frames:
        start = max(0, min(begin - overlap, frames - longest))
        end = min(frames, start + longest)
        keep_end = frames if end == frames else end - overlap
        yield Window(start, end, begin, keep_end)
        begin = keep_end


def run_long(net: Any, wave: Tensor, longest: int, overlap: int) -> Tensor:
    """Run a HubertModel over a wave [N] in windows of `longest` frames: [T, D]."""
    frames_TC = convolve(net, wave)
    parts = []
    for start, end, keep_start, keep_end in windows(len(frames_TC), longest, overlap):
        hidden = net.feature_projection(frames_TC[None, start:end])
        states = net.encoder(hidden).last_hidden_state[0]
        parts.append(states[keep_start - start : keep_end - start])
    return torch.cat(parts)


def convolve(net: Any, wave: Tensor) -> Tensor:
    """Run a HubertModel's convolutions over a wave [N], some at a time: [T, C]."""
    config, layers = net.config, net.feature_extractor.conv_layers
    kernels, strides = config.conv_kernel, config.conv_stride
    first = layers[0]
    norm = first.layer_norm if config.feat_extract_norm == "group" else None
    mean_scale = None if norm is None else _statistics(first.conv, norm.eps, wave)
    hop, field = prod(strides), receptive_field(kernels, strides)
    frames = (len(wave) - field) // hop + 1
    parts = []
    for start in range(0, frames, CHUNK_FRAMES):
        end = min(frames, start + CHUNK_FRAMES)
        hidden = wave[None, None, start * hop : (end - 1) * hop + field]
        if norm is not None and mean_scale is not None:
            mean, scale = mean_scale
            hidden = (first.conv(hidden) - mean) * (scale * norm.weight[:, None])
            hidden = first.activation(hidden + norm.bias[:, None])
        for layer in layers if norm is None else layers[1:]:
            hidden = layer(hidden)
        parts.append(hidden[0].T)
    return torch.cat(parts)


def _statistics(conv: Any, epsilon: float, wave: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and 1 / deviation over time of each channel of a convolution: [C, 1] each."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    count = (len(wave) - kernel) // stride + 1
    total = torch.zeros(conv.out_channels, dtype=torch.float64)
    squares = torch.zeros_like(total)
    step = CHUNK_FRAMES * 64
    for start in range(0, count, step):
        end = min(count, start + step)
        made = conv(wave[None, None, start * stride : (end - 1) * stride + kernel])[0]
        # A chunk's own mean keeps what is squared small.
        own = made.double().mean(dim=1)
        total += own * (end - start)
        squares += (made - own[:, None].float()).square().double().sum(dim=1)
        squares += own.square() * (end - start)
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    return mean.float()[:, None], (variance + epsilon).rsqrt().float()[:, None]


def receptive_field(kernels: list[int], strides: list[int]) -> int:
    """Return how many samples a frame of stacked convolutions sees."""
    field, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    return field
