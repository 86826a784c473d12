"""Causal layers, run over a whole clip or block by block.

What a layer looks back at lies in a `State` that is handed along, so blocks meet without a seam; a
clip without one begins, like a stream, after silence. So nothing hears what comes later, and what a
clip is filled up with changes nothing before it.

    B batch, C channels, N samples or frames at a layer's own rate
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

State = dict[nn.Module, tuple[Tensor, ...]]
"""What layers keep between the blocks of one stream; an empty one stands at its beginning."""


class CausalConv(nn.Module):
    """A convolution that hears nothing later: N samples become N / stride."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        gain: float = 1.0,
    ) -> None:
        """Draw first weights; the kernel is no shorter than the stride.

        Args:
            channels: of the input.
            outputs: channels of the output.
            kernel: of the convolution.
            stride: likewise.
            dilation: likewise.
            gain: of the output over the input, to begin with.

        """
        super().__init__()
        conv = nn.Conv1d(channels, outputs, kernel, stride=stride, dilation=dilation)
        _init(conv, channels * kernel, gain)
        self.conv = weight_norm(conv)
        self.context = (kernel - 1) * dilation + 1 - stride

    def forward(self, x_BCN: Tensor, state: State | None = None) -> Tensor:
        """Convolve whole strides."""
        convolved: Tensor = self.conv(after_last(self, x_BCN, self.context, state))
        return convolved


class CausalUpsampling(nn.Module):
    """A transposed convolution over this frame and the last: N frames become N * stride."""

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        """Draw first weights."""
        super().__init__()
        self.stride = stride
        conv = nn.ConvTranspose1d(channels, outputs, 2 * stride, stride=stride)
        _init(conv, 2 * channels)
        self.conv = weight_norm(conv)

    def forward(self, x_BCN: Tensor, state: State | None = None) -> Tensor:
        """Give `stride` samples a frame."""
        spread: Tensor = self.conv(after_last(self, x_BCN, 1, state))
        return spread[..., self.stride : -self.stride]


class ResidualUnit(nn.Module):
    """ELU, a dilated convolution to half the channels, ELU, and one back; added to its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        """Draw first weights."""
        super().__init__()
        self.first = CausalConv(channels, channels // 2, 3, dilation=dilation)
        self.second = CausalConv(channels // 2, channels, 1)

    def forward(self, x_BCN: Tensor, state: State | None = None) -> Tensor:
        """Add what the convolutions find."""
        found = self.first(functional.elu(x_BCN), state)
        return x_BCN + self.second(functional.elu(found), state)  # type: ignore[no-any-return]


class Recurrence(nn.Module):
    """LSTMs over time, added to their input."""

    def __init__(self, channels: int, layers: int) -> None:
        """Draw first weights."""
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, layers)

    def forward(self, x_BCN: Tensor, state: State | None = None) -> Tensor:
        """Run on from where the state stands."""
        before = state.get(self) if state is not None else None
        found_NBC, after = self.lstm(x_BCN.permute(2, 0, 1), before)
        if state is not None:
            state[self] = after
        return x_BCN + found_NBC.permute(1, 2, 0)  # type: ignore[no-any-return]


class Elu(nn.Module):
    """ELU, in line with layers that take a state."""

    def forward(self, x_BCN: Tensor, state: State | None = None) -> Tensor:
        """Apply it."""
        del state
        return functional.elu(x_BCN)


class Stack(nn.ModuleList):
    """Layers one after the other."""

    def forward(self, x_BCN: Tensor, state: State | None = None) -> Tensor:
        """Run them."""
        for layer in self:
            x_BCN = layer(x_BCN, state)
        return x_BCN


def _init(conv: nn.Conv1d | nn.ConvTranspose1d, inputs: int, gain: float = 1.0) -> None:
    """Draw weights of a layer whose outputs are sums of so many inputs, so that loudness stays.

    torch's own shrink what they hear, and those of transposed convolutions by their stride as well:
    then biases drown it, and training takes long to find it.
    """
    nn.init.normal_(conv.weight, std=gain * inputs**-0.5)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)


def after_last(layer: nn.Module, x_BCN: Tensor, context: int, state: State | None) -> Tensor:
    """Put before a block what comes before it in its stream, and keep its own end."""
    kept = state.get(layer) if state is not None else None
    if kept is None:
        x_BCN = functional.pad(x_BCN, (context, 0))
    else:
        x_BCN = torch.cat([kept[0], x_BCN], dim=-1)
    if state is not None:
        # A copy: a view would keep the whole block alive.
        state[layer] = (x_BCN[..., x_BCN.shape[-1] - context :].clone(),)
    return x_BCN
