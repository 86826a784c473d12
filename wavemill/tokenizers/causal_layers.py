"""Causal convolutions fed block by block, each a few matrix products of time-major activations.

With a block as rows of frames [N, C], what a stride takes in lies in one row of a view of it, and a
kernel is a sum of such views times its parts. So nothing is laid out anew, neither activations nor
weights, which for blocks that fit a cache takes as long as the products do.

Legend: C channels in, D out, N samples or frames at a layer's own rate.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from wavemill.tokenizers.elu import elu_into

NARROW = 32
"""Products over fewer channels than this are worth a copy that makes one of all of them."""


class Step(Protocol):
    """A layer on its way through one clip."""

    def feed(self, block_NC: Tensor, *, is_last: bool) -> Tensor:
        """Take the next block [N, C]; give its output. All but the last are whole strides."""
        ...


def prepare(layers: Sequence[Any]) -> list[Callable[[], Step]]:
    """Prepare transformers' layers; the results make steps that are at a clip's start."""
    makers: list[Callable[[], Step]] = []
    after_elu = False
    for layer in layers:
        if hasattr(layer, "shortcut"):
            makers.append(_residual(layer))
        elif not isinstance(layer, nn.ELU):
            makers.append(_convolution(Kernel(layer, after_elu=after_elu)))
        after_elu = isinstance(layer, nn.ELU)
    return makers


class CausalStack:
    """A stack of layers on its way through one clip; make a new one for each clip."""

    def __init__(self, makers: Sequence[Callable[[], Step]]) -> None:
        """Start before the clip's first sample."""
        self._steps = [make() for make in makers]

    def feed(self, block_NC: Tensor, *, is_last: bool) -> Tensor:
        """Run the next block; see `Step.feed`."""
        for step in self._steps:
            block_NC = step.feed(block_NC, is_last=is_last)
        return block_NC


class Kernel:
    """A convolution's weights, as the factors of its products."""

    def __init__(self, layer: Any, *, after_elu: bool) -> None:
        """Lay out the weights of transformers' `EncodecConv1d`; `after_elu` has it apply that."""
        convolution: nn.Conv1d = layer.conv
        weight_DCK = convolution.weight.detach()
        outputs, self.channels, kernel = weight_DCK.shape
        self.after_elu = after_elu
        self.pad: Callable[[Tensor, tuple[int, int], str], Tensor] = layer._pad1d  # noqa: SLF001
        self.pad_mode: str = layer.pad_mode
        self.stride, self.dilation = convolution.stride[0], convolution.dilation[0]
        assert kernel % self.stride == 0
        assert self.stride == 1 or self.dilation == 1
        self.context = (kernel - 1) * self.dilation + 1 - self.stride
        """How many samples before a block its first output looks back at."""
        is_narrow = self.channels * kernel <= NARROW and self.dilation == 1
        self._taps = kernel if is_narrow else self.stride
        self._weights = [
            part_DCK.permute(2, 1, 0).reshape(-1, outputs).contiguous()
            for part_DCK in weight_DCK.split(self._taps, dim=-1)
        ]
        self.bias = weight_DCK.new_zeros(outputs)
        if convolution.bias is not None:
            self.bias = convolution.bias.detach().clone()

    def product(self, rows_NC: Tensor, into: Tensor | None) -> Tensor:
        """Convolve contiguous rows, context and all; add to `into`, else to the bias."""
        count = (len(rows_NC) - self.context) // self.stride
        step = self.stride * self.channels
        for number, weight in enumerate(self._weights):
            shape, offset = (count, len(weight)), number * self.dilation * step
            view = rows_NC.as_strided(shape, (step, 1), rows_NC.storage_offset() + offset)
            if into is None:
                into = torch.addmm(self.bias, view, weight)
            elif torch.is_autocast_enabled(view.device.type):  # which passes in-place sums by
                into = torch.addmm(into, view, weight)
            else:
                into.addmm_(view, weight)
        assert into is not None
        return into


class _Convolution:
    """A convolution that keeps the end of its input for the next block."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._kept: Tensor | None = None

    def feed(self, block_NC: Tensor, *, is_last: bool, into: Tensor | None = None) -> Tensor:
        kernel = self.kernel
        extra = -len(block_NC) % kernel.stride if is_last else 0
        if kernel.context or extra or kernel.after_elu:
            block_NC = self._padded(block_NC, extra)
        if kernel.context and not is_last:
            self._kept = block_NC[-kernel.context :].clone()
        return kernel.product(block_NC, into)

    def _padded(self, block_NC: Tensor, extra: int) -> Tensor:
        """Put before the block what precedes it, and after the last block what fills a stride."""
        kernel, end = self.kernel, self.kernel.context + len(block_NC)
        rows_NC = block_NC.new_empty(end + extra, kernel.channels)
        own = rows_NC[kernel.context : end]
        if kernel.after_elu:
            elu_into(block_NC, own)
        else:
            own.copy_(block_NC)
        missing = kernel.context
        if self._kept is not None:
            rows_NC[:missing] = self._kept
            missing = 0
        if missing or extra:
            self._pad(rows_NC, missing, extra)
        return rows_NC

    def _pad(self, rows_NC: Tensor, left: int, right: int) -> None:
        """Fill in the rows at both ends, as the whole clip is padded, from those between."""
        known = rows_NC[left : len(rows_NC) - right]
        if len(known) <= 2 * max(left, right):
            rows_NC.copy_(self._pad_ends(known, left, right))
            return
        if left:
            rows_NC[:left] = self._pad_ends(known[: left + 1], left, 0)[:left]
        if right:
            rows_NC[-right:] = self._pad_ends(known[-right - 1 :], 0, right)[-right:]

    def _pad_ends(self, rows_NC: Tensor, left: int, right: int) -> Tensor:
        return self.kernel.pad(rows_NC.T[None], (left, right), self.kernel.pad_mode)[0].T


class _Residual:
    """EnCodec's residual block: ELU, convolution, ELU, 1x1 convolution; and a shortcut."""

    def __init__(self, inner: Sequence[Kernel], shortcut: Kernel | None) -> None:
        *first, last = map(_Convolution, inner)
        self._first, self._last, self._shortcut = first, last, shortcut

    def feed(self, block_NC: Tensor, *, is_last: bool) -> Tensor:
        inner = block_NC
        for step in self._first:
            inner = step.feed(inner, is_last=is_last)
        bias = self._last.kernel.bias
        if self._shortcut is None:
            total = block_NC + bias
        else:
            total = self._shortcut.product(block_NC, None).add_(bias)
        return self._last.feed(inner, is_last=is_last, into=total)


def _convolution(kernel: Kernel) -> Callable[[], Step]:
    return lambda: _Convolution(kernel)


def _residual(layer: Any) -> Callable[[], Step]:
    parts = list(layer.block)
    inner = [
        Kernel(part, after_elu=isinstance(parts[number - 1], nn.ELU))
        for number, part in enumerate(parts)
        if not isinstance(part, nn.ELU)
    ]
    plain = isinstance(layer.shortcut, nn.Identity)
    shortcut = None if plain else Kernel(layer.shortcut, after_elu=False)
    return lambda: _Residual(inner, shortcut)
