"""SQ-Codec's layers: padded convolutions, residual units, and blocks that change the rate.

Names of submodules are those of the published weights.

    B batch, C channels, T time
"""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from wavemill.tokenizers.blocks import Window

DILATIONS = (1, 3, 5, 7, 9)


class Conv(nn.Conv1d):
    """A convolution padded on the left if causal, else on both sides."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        causal: bool = False,
    ) -> None:
        """Set it up."""
        super().__init__(channels, out_channels, kernel, stride=stride, dilation=dilation)
        span = (kernel - 1) * dilation
        left, right = (span, 0) if causal else (span // 2, span // 2)
        self.window = Window(
            kernel=kernel, stride=stride, dilation=dilation, left=left, right=right
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C', T / stride], rounded up if causal."""
        return super().forward(functional.pad(x, (self.window.left, self.window.right)))


class UpConv(nn.ConvTranspose1d):
    """A transposed convolution; the causal one drops what is not complete."""

    def __init__(
        self, channels: int, out_channels: int, kernel: int, *, stride: int, causal: bool
    ) -> None:
        """Set it up."""
        padding = 0 if causal else (kernel - stride) // 2
        super().__init__(channels, out_channels, kernel, stride=stride, padding=padding)
        self.dropped = stride if causal else 0

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, C, T] to [B, C', T * stride]."""
        y = super().forward(x, output_size)
        return y[..., : y.shape[-1] - self.dropped]


class Shrink(nn.Module):
    """A convolution, then the mean of every few samples."""

    def __init__(self, channels: int, times: int, kernel: int, *, causal: bool) -> None:
        """Set it up."""
        super().__init__()
        self.conv = Conv(channels, channels, kernel, causal=causal)
        self.activation = nn.PReLU()
        self.pooling = nn.AvgPool1d(times)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T / times], rounded down."""
        y: Tensor = self.pooling(self.activation(self.conv(x)))
        return y


class Stretch(nn.Module):
    """Every step several times over, then a convolution."""

    def __init__(self, channels: int, times: int, kernel: int, *, causal: bool) -> None:
        """Set it up."""
        super().__init__()
        self.conv = Conv(channels, channels, kernel, causal=causal)
        self.activation = nn.PReLU()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T * times]."""
        y: Tensor = self.activation(self.conv(x.repeat_interleave(self.times, dim=-1)))
        return y


class ResidualUnit(nn.Module):
    """A dilated convolution and one of kernel 1, added."""

    def __init__(self, channels: int, kernel: int, dilation: int, *, causal: bool) -> None:
        """Set it up."""
        super().__init__()
        self.conv1 = weight_norm(Conv(channels, channels, kernel, dilation=dilation, causal=causal))
        self.conv2 = weight_norm(Conv(channels, channels, 1, causal=causal))
        self.activation1 = nn.PReLU()
        self.activation2 = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T]."""
        y: Tensor = self.activation2(self.conv2(self.activation1(self.conv1(x))))
        return y + x


class RateChange(nn.Module):
    """A convolution that changes the rate, and what follows it."""

    def __init__(self, layer: nn.Module, activation: nn.Module | None) -> None:
        """Take its parts."""
        super().__init__()
        self.layer = layer
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C', T']."""
        y: Tensor = self.layer(x)
        return y if self.activation is None else self.activation(y)


class EncoderBlock(nn.Module):
    """Residual units, then fewer steps of twice the channels."""

    def __init__(
        self,
        channels: int,
        kernel: int,
        stride: int,
        activation: nn.Module,
        *,
        unit_kernel: int,
        causal: bool,
    ) -> None:
        """Set it up; the activation is shared by all blocks, as in the authors' weights."""
        super().__init__()
        self.convs = _units(channels, unit_kernel, causal=causal)
        down = Conv(channels, 2 * channels, kernel, stride=stride, causal=causal)
        self.down_conv = RateChange(weight_norm(down), activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, 2 C, T / stride]."""
        y: Tensor = self.down_conv(self.convs(x))
        return y


class DecoderBlock(nn.Module):
    """More steps of half the channels, then residual units."""

    def __init__(
        self, channels: int, kernel: int, stride: int, *, unit_kernel: int, causal: bool
    ) -> None:
        """Set it up."""
        super().__init__()
        up = UpConv(channels, channels // 2, kernel, stride=stride, causal=causal)
        self.up_conv = RateChange(weight_norm(up), None)
        self.convs = _units(channels // 2, unit_kernel, causal=causal)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C / 2, T * stride]."""
        y: Tensor = self.convs(self.up_conv(x))
        return y


def _units(channels: int, kernel: int, *, causal: bool) -> nn.Sequential:
    return nn.Sequential(
        *(ResidualUnit(channels, kernel, dilation, causal=causal) for dilation in DILATIONS)
    )


def windows_of(module: nn.Module) -> Iterator[Window]:
    """Give the windows of all convolutions and poolings in an encoder, from its input on."""
    for part in module.modules():
        if isinstance(part, Conv):
            yield part.window
        elif isinstance(part, nn.AvgPool1d):
            times = int(
                part.kernel_size[0] if isinstance(part.kernel_size, tuple) else part.kernel_size
            )
            yield Window(kernel=times, stride=times)
