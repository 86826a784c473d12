"""Run a convolutional network over long audio in blocks, each with all that its steps hear.

A network of windows (convolutions, poolings, spectrogram frames) hears a bounded stretch of its
input at every step. So a block of steps, given that stretch on both sides, comes out as it would of
the whole clip, and memory is bounded by a block. What can differ is the order in which float32 sums
are made: about 1e-6 of a value.

    N samples, C channels, T steps of the network's output
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Window:
    """One layer's view: output i hears inputs i * stride - left + (0 .. kernel-1) * dilation."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    left: int = 0
    """Padding before the first input."""
    right: int = 0
    """Padding after the last; of layers that fill their last window, all that it may take."""

    @property
    def span(self) -> int:
        """From the first input of a window to its last."""
        return (self.kernel - 1) * self.dilation

    def num_outputs(self, num_inputs: int) -> int:
        """How many steps come of so many inputs."""
        return (num_inputs + self.left + self.right - self.span - 1) // self.stride + 1


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What step t of a network hears: samples t * step - left .. t * step + right."""

    step: int
    left: int
    right: int

    @classmethod
    def of(cls, windows: Iterable[Window]) -> "Reach":
        """Add up layers, from the input on."""
        step, left, right = 1, 0, 0
        for window in windows:
            left += window.left * step
            right += max(0, window.span - window.left) * step
            step *= window.stride
        return cls(step=step, left=left, right=right)


def num_steps(windows: Iterable[Window], num_samples: int) -> int:
    """How many steps a network gives for a clip."""
    for window in windows:
        num_samples = window.num_outputs(num_samples)
    return num_samples


def run_in_blocks(
    network: Callable[[Tensor], Tensor],
    windows: Iterable[Window],
    clip_N: Tensor,
    block_steps: int,
) -> Tensor:
    """Run a network over a clip, block by block.

    Args:
        network: samples [N] to steps, [T, ...].
        windows: its layers.
        clip_N: the clip; at least as long as the network's shortest.
        block_steps: output steps a block. A clip of no more is run whole.

    Returns:
        What `network(clip_N)` would be: [T, ...].

    """
    windows = list(windows)
    reach = Reach.of(windows)
    steps = num_steps(windows, len(clip_N))
    if steps <= block_steps:
        return network(clip_N)
    parts = []
    for first in range(0, steps, block_steps):
        last = min(steps, first + block_steps) - 1
        # Whole steps of context, so that the layers' strides fall where they do in the whole clip.
        before = min(first, -(-reach.left // reach.step))
        start = (first - before) * reach.step
        stop = len(clip_N) if last == steps - 1 else last * reach.step + reach.right + 1
        parts.append(network(clip_N[start:stop])[before : before + last - first + 1])
    return torch.cat(parts)
