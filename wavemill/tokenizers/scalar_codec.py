"""SQ-Codec, to train and to run: a convolutional autoencoder whose latent numbers are rounded.

Yang et al., "SimpleSpeech" and "SimpleSpeech 2", arXiv 2406.02328 and 2408.13893. Convolutions with
weight norm, residual units with growing dilation before each change of rate, tanh, then rounding to
multiples of 1 / scale. The sizes are those of the `config.yaml` that comes with the authors'
weights, and `load_state_dict(strict=True)` takes the authors' names, the old spelling of weight
norm (`weight_g`, `weight_v`) among them.

    B batch, C channels, N samples, T steps, D latent numbers
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from wavemill.tokenizers.blocks import Window
from wavemill.tokenizers.finite_scalar import round_to_levels
from wavemill.tokenizers.scalar_layers import (
    Conv,
    DecoderBlock,
    EncoderBlock,
    Shrink,
    Stretch,
    windows_of,
)


@dataclass(frozen=True, kw_only=True)
class ScalarCodecSizes:
    """The codec's sizes, by the names of the authors' `config.yaml` (generator.config)."""

    num_bands: int
    sample_rate: int
    causal: bool
    num_samples: int
    """Averaged to one right after the first convolution, and repeated before the last."""
    downsample_factors: tuple[int, ...]
    downsample_kernel_sizes: tuple[int, ...]
    upsample_factors: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    latent_hidden_dim: int
    default_kernel_size: int
    delay_kernel_size: int
    """Of the decoder's first convolution, which hears as many steps ahead as back."""
    init_channel: int
    res_kernel_size: int


class ScalarCodec(nn.Module):
    """Audio to numbers in [-1, 1], rounded, and back."""

    def __init__(self, sizes: ScalarCodecSizes, scale: int = 9) -> None:
        """Draw first weights; there are 2 * scale + 1 levels."""
        super().__init__()
        self.sizes = sizes
        self.scale = scale
        self.encoder = nn.Sequential(*_encoder_layers(sizes))
        self.decoder = nn.Sequential(*_decoder_layers(sizes))

    @property
    def windows(self) -> list[Window]:
        """What the latent numbers hear, layer by layer."""
        return list(windows_of(self.encoder))

    def published_state(self) -> dict[str, Tensor]:
        """Give the weights by the authors' names, with the old spelling of weight norm."""
        return {
            name.replace("parametrizations.weight.original0", "weight_g").replace(
                "parametrizations.weight.original1", "weight_v"
            ): weight
            for name, weight in self.state_dict().items()
        }

    def forward(self, audio_B1N: Tensor) -> Tensor:
        """Code and decode, as training does."""
        return self.decode(self.quantize(self.encode(audio_B1N)))

    def encode(self, audio_B1N: Tensor) -> Tensor:
        """Give the latent numbers before rounding, [B, D, T]."""
        return torch.tanh(self.encoder(audio_B1N))

    def quantize(self, latent_BDT: Tensor) -> Tensor:
        """Round to the levels; the gradient passes through."""
        return round_to_levels(latent_BDT, self.scale)

    def to_ids(self, latent_BDT: Tensor) -> Tensor:
        """Count the levels from 0: ids [B, D, T] int64 of numbers, rounded or not."""
        return (self.scale * latent_BDT).round().long() + self.scale

    def from_ids(self, ids_BDT: Tensor) -> Tensor:
        """Give the rounded numbers of ids."""
        return (ids_BDT - self.scale) / self.scale

    def decode(self, latent_BDT: Tensor) -> Tensor:
        """Give audio [B, bands, N] of numbers; they are rounded first."""
        audio: Tensor = self.decoder(self.quantize(latent_BDT))
        return audio


def _widths(first: int, times: int) -> list[int]:
    return [first << place for place in range(times + 1)]


def _encoder_layers(sizes: ScalarCodecSizes) -> Iterator[nn.Module]:
    kernel, unit_kernel = sizes.default_kernel_size, sizes.res_kernel_size
    causal, width = sizes.causal, sizes.init_channel
    yield weight_norm(Conv(sizes.num_bands, width, kernel, causal=causal))
    if sizes.num_samples > 1:
        yield Shrink(width, sizes.num_samples, kernel, causal=causal)
    widths = _widths(width, len(sizes.downsample_factors))
    activation = nn.PReLU()
    for channels, down_kernel, factor in zip(
        widths, sizes.downsample_kernel_sizes, sizes.downsample_factors, strict=False
    ):
        yield EncoderBlock(
            channels, down_kernel, factor, activation, unit_kernel=unit_kernel, causal=causal
        )
    yield weight_norm(Conv(widths[-1], sizes.latent_hidden_dim, kernel, causal=causal))


def _decoder_layers(sizes: ScalarCodecSizes) -> Iterator[nn.Module]:
    kernel, unit_kernel = sizes.default_kernel_size, sizes.res_kernel_size
    causal, width = sizes.causal, sizes.init_channel
    widths = _widths(width, len(sizes.upsample_factors))[::-1]
    yield weight_norm(Conv(sizes.latent_hidden_dim, widths[0], sizes.delay_kernel_size))
    for channels, up_kernel, factor in zip(
        widths, sizes.upsample_kernel_sizes, sizes.upsample_factors, strict=False
    ):
        yield DecoderBlock(channels, up_kernel, factor, unit_kernel=unit_kernel, causal=causal)
    if sizes.num_samples > 1:
        yield Stretch(width, sizes.num_samples, kernel, causal=causal)
    yield weight_norm(Conv(width, sizes.num_bands, kernel, causal=causal))
