"""A causal convolutional encoder, run over a clip block by block, with nothing lost at the seams.

Each convolution keeps the samples that its next outputs look back at, and the LSTM its state, so a
block's output is that of the whole clip at its place. Two things come of it. Memory is bounded, for
however long a clip. And it is several times faster on a CPU: a layer's input and output stay in
the cache, and no buffer is so large that the system has to give fresh pages for it each time.

Only the clip's two ends are padded, as a run over the whole of it does: on the left by reflection,
on the right, where a stride does not fit, by reflection of the last samples.

Legend: C channels, N samples or frames at a layer's own rate, T frames of the encoder.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAMES_A_BLOCK = 40
"""Of the first convolutions, 0.5 s of EnCodec: the largest activations are 1.6 MB."""
BLOCKS_A_PIECE = 75
"""Of the last convolutions and the LSTM, 40 s: their weights are large, and are laid out anew in
each call, while their activations are small."""

Step = Callable[[Tensor, bool], Tensor]
"""Takes the next block [1, C, N] and whether it is the last; gives the block's output."""


class BlockEncoder:
    """EnCodec's encoder (transformers' `EncodecEncoder`) with causal convolutions, in blocks."""

    def __init__(self, encoder: Any, hop_samples: int) -> None:
        """Split the encoder before the last stride, where little of the data is left."""
        layers = list(encoder.layers)
        recurrent = [hasattr(layer, "lstm") for layer in layers].index(True)
        self._front, self._back = layers[: recurrent - 1], layers[recurrent - 1 :]
        self._block_samples = FRAMES_A_BLOCK * hop_samples

    def latents(self, clip_N: Tensor) -> Iterator[Tensor]:
        """Encode a clip [N]; yield its latents in pieces [1, D, T], in order."""
        front, back = CausalStack(self._front), CausalStack(self._back)
        fronts: list[Tensor] = []
        for start in range(0, len(clip_N), self._block_samples):
            stop = start + self._block_samples
            is_last = stop >= len(clip_N)
            fronts.append(front.feed(clip_N[None, None, start:stop], is_last=is_last))
            if is_last or len(fronts) == BLOCKS_A_PIECE:
                yield back.feed(torch.cat(fronts, dim=-1), is_last=is_last)
                fronts = []


class CausalStack:
    """A stack of causal layers on its way through one clip; make a new one for each clip."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        """Start before the clip's first sample."""
        self._steps = [_step(layer) for layer in layers]

    def feed(self, block_1CN: Tensor, *, is_last: bool) -> Tensor:
        """Run the next block [1, C, N]; all but the last must be whole strides of the stack."""
        for step in self._steps:
            block_1CN = step(block_1CN, is_last)
        return block_1CN


def _step(layer: Any) -> Step:
    """Give a layer of transformers' EnCodec a memory of its own."""
    if isinstance(layer, nn.ELU):
        return _elu
    if isinstance(layer, nn.Identity):
        return lambda block_1CN, _: block_1CN
    if hasattr(layer, "shortcut"):
        return _Residual(layer)
    if hasattr(layer, "lstm"):
        return _Recurrent(layer)
    return _Convolution(layer)


def _elu(block_1CN: Tensor, _: bool) -> Tensor:  # noqa: FBT001 - a Step
    """Overwrite the block: every layer before an ELU has just made it, and needs it no more."""
    return functional.elu_(block_1CN)


class _Convolution:
    """A causal convolution that keeps the end of its input for the next block."""

    def __init__(self, layer: Any) -> None:
        self._convolution: nn.Conv1d = layer.conv
        self._pad = layer._pad1d  # noqa: SLF001 - a static method: reflection that takes short clips
        self._pad_mode: str = layer.pad_mode
        kernel, dilation = self._convolution.kernel_size[0], self._convolution.dilation[0]
        self._stride = self._convolution.stride[0]
        self._context = (kernel - 1) * dilation + 1 - self._stride
        self._kept: Tensor | None = None

    def __call__(self, block_1CN: Tensor, is_last: bool) -> Tensor:  # noqa: FBT001 - a Step
        extra = -block_1CN.shape[-1] % self._stride if is_last else 0
        if self._context or extra:
            block_1CN = self._padded(block_1CN, extra)
        if self._context and not is_last:
            self._kept = block_1CN[..., -self._context :].clone()
        output: Tensor = self._convolution(block_1CN)
        return output

    def _padded(self, block_1CN: Tensor, extra: int) -> Tensor:
        """Put before the block what precedes it, and after the last block what fills a stride."""
        if self._kept is None:
            padded: Tensor = self._pad(block_1CN, (self._context, extra), self._pad_mode)
            return padded
        joined = torch.cat([self._kept, block_1CN], dim=-1)
        return functional.pad(joined, (0, extra), self._pad_mode) if extra else joined


class _Residual:
    """EnCodec's residual block: ELU, convolution, ELU, 1x1 convolution; and a shortcut."""

    def __init__(self, layer: Any) -> None:
        self._first: nn.Module = layer.block[0]
        self._rest = [_step(part) for part in layer.block[1:]]
        self._shortcut = _step(layer.shortcut)

    def __call__(self, block_1CN: Tensor, is_last: bool) -> Tensor:  # noqa: FBT001 - a Step
        inner: Tensor = self._first(block_1CN)
        for step in self._rest:
            inner = step(inner, is_last)
        inner += self._shortcut(block_1CN, is_last)
        return inner


class _Recurrent:
    """EnCodec's LSTM with its skip connection; keeps its state."""

    def __init__(self, layer: Any) -> None:
        self._lstm: nn.LSTM = layer.lstm
        self._state: tuple[Tensor, Tensor] | None = None

    def __call__(self, block_1CN: Tensor, is_last: bool) -> Tensor:  # noqa: ARG002, FBT001 - a Step
        steps_T1C = block_1CN.permute(2, 0, 1)
        output_T1C, self._state = self._lstm(steps_T1C, self._state)
        output_1CT: Tensor = (output_T1C + steps_T1C).permute(1, 2, 0)
        return output_1CT
