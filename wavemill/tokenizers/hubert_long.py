"""A HuBERT, or one of its kin, over a long clip in bounded memory.

What HuBERT makes of a frame depends on the whole clip: its first convolution is normalised over
time, and every frame attends to all others. The convolutions, that norm too, come out here as they
would of the whole clip. Attention is what is cut: it runs in overlapping windows.
"""

from collections.abc import Iterator, Sequence
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


class Norm(NamedTuple):
    """A norm over the time of a whole clip: of each channel, [C, 1]."""

    mean: Tensor
    scale: Tensor
    bias: Tensor


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
    norm = norm_over_time(net, wave)
    frames = count_frames(net.config, len(wave))
    parts = []
    for start, end, keep_start, keep_end in windows(frames, longest, overlap):
        states = run_window(net, wave, norm, start, end)
        parts.append(states[keep_start - start : keep_end - start])
    return torch.cat(parts)


def run_window(net: Any, wave: Tensor, norm: Norm | None, start: int, end: int) -> Tensor:
    """Run frames `start` to `end` of a wave [N] as if they were all: [end - start, D]."""
    hidden = net.feature_projection(convolve(net, wave, norm, start, end)[None])
    # Wav2Vec2's gives what it projected, too.
    hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    states: Tensor = net.encoder(hidden).last_hidden_state[0]
    return states


def convolve(net: Any, wave: Tensor, norm: Norm | None, start: int, end: int) -> Tensor:
    """Run the convolutions of frames `start` to `end` of a wave [N]: [end - start, C].

    `norm` is what `norm_over_time` gives for the whole wave.
    """
    layers = net.feature_extractor.conv_layers
    hop = prod(net.config.conv_stride)
    field = receptive_field(net.config.conv_kernel, net.config.conv_stride)
    parts = []
    for begin in range(start, end, CHUNK_FRAMES):
        stop = min(end, begin + CHUNK_FRAMES)
        hidden = wave[None, None, begin * hop : (stop - 1) * hop + field]
        if norm is not None:
            hidden = (layers[0].conv(hidden) - norm.mean) * norm.scale
            hidden = layers[0].activation(hidden + norm.bias)
        for layer in layers if norm is None else layers[1:]:
            hidden = layer(hidden)
        parts.append(hidden[0].T)
    return torch.cat(parts)


def norm_over_time(net: Any, wave: Tensor) -> Norm | None:
    """Return what the first convolution's norm makes of a whole wave [N]; None without such."""
    if getattr(net.config, "feat_extract_norm", "layer") != "group":
        return None
    first = net.feature_extractor.conv_layers[0]
    mean, scale = _statistics(first.conv, first.layer_norm.eps, wave)
    weight, bias = first.layer_norm.weight[:, None], first.layer_norm.bias[:, None]
    return Norm(mean, scale * weight, bias)


def count_frames(config: Any, num_samples: int) -> int:
    """Return how many frames a wave of so many samples has."""
    field = receptive_field(config.conv_kernel, config.conv_stride)
    return int((num_samples - field) // prod(config.conv_stride) + 1)


def _statistics(conv: Any, epsilon: float, wave: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and 1 / deviation over time of each channel of a convolution: [C, 1] each."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    count = (len(wave) - kernel) // stride + 1
    total = torch.zeros(conv.out_channels, dtype=torch.float64, device=wave.device)
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


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many samples a frame of stacked convolutions sees."""
    field, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    return field
