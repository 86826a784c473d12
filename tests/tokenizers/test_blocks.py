"""Blocks: what a network gives of a long clip piece by piece is what it gives of the whole."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from wavemill.tokenizers.blocks import Reach, Window, num_steps, run_in_blocks


@st.composite
def windows(draw: st.DrawFn) -> Window:
    stride = draw(st.integers(1, 3))
    kernel = draw(st.integers(stride, 5))
    dilation = 1 if stride > 1 else draw(st.integers(1, 3))
    span = (kernel - 1) * dilation
    left = draw(st.integers(0, span))
    return Window(kernel=kernel, stride=stride, dilation=dilation, left=left, right=span - left)


def network(layers: list[Window], clip_N: Tensor) -> Tensor:
    """Small whole weights in float64: sums are exact, whatever their order."""
    x = clip_N[None, None]
    for layer in layers:
        weights = torch.arange(1, layer.kernel + 1, dtype=torch.float64) % 3 - 1
        padded = functional.pad(x, (layer.left, layer.right))
        x = functional.conv1d(
            padded, weights[None, None], stride=layer.stride, dilation=layer.dilation
        )
        x = (x + 1) % 7
    return x[0, 0]


@settings(max_examples=40)
@given(
    layers=st.lists(windows(), min_size=1, max_size=4),
    samples=st.integers(60, 200),
    block_steps=st.integers(2, 20),
)
def test_blocks_give_exactly_what_the_whole_clip_gives(
    layers: list[Window], samples: int, block_steps: int
) -> None:
    clip = torch.randint(-5, 5, (samples,), generator=torch.Generator().manual_seed(samples))
    whole = network(layers, clip.double())
    parts = run_in_blocks(lambda part: network(layers, part), layers, clip.double(), block_steps)
    assert num_steps(layers, samples) == len(whole)
    assert torch.equal(parts, whole)


def test_reach_adds_up_the_layers() -> None:
    layers = [
        Window(kernel=7, left=6),
        Window(kernel=4, stride=4, left=3),
        Window(kernel=3, left=2),
    ]
    assert Reach.of(layers) == Reach(step=4, left=6 + 3 + 8, right=0)


def test_no_block_is_longer_than_asked_for_and_its_context() -> None:
    layers = [Window(kernel=9, left=4, right=4), Window(kernel=5, stride=5)]
    lengths = []

    def listen(part: Tensor) -> Tensor:
        lengths.append(len(part))
        return network(layers, part)

    run_in_blocks(listen, layers, torch.zeros(5000, dtype=torch.float64), block_steps=10)
    assert len(lengths) == 100
    assert max(lengths) <= 10 * 5 + 5 + 4 + 4
