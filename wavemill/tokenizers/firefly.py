"""The firefly codec of Fish-Speech 1.4 (FF-GAN with GFSQ), to train and to run.

Liao et al., "Fish-Speech", arXiv 2411.01156. Log mel frames at 44.1 kHz, a causal ConvNeXt encoder,
time halved twice, finite scalar quantizers in groups, and a HiFi-GAN head. The defaults are the
published sizes, and `state_dict()` has the published names: it loads with strict=True.

    B batch, N samples, F mel frames, C channels, T steps, Q streams
"""

from dataclasses import dataclass
from functools import cache

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from wavemill.tokenizers.blocks import Window
from wavemill.tokenizers.convnext import (
    CausalConv,
    CausalUpConv,
    ConvNeXtBlock,
    ConvNeXtEncoder,
    init_small,
    windows_of,
)
from wavemill.tokenizers.finite_scalar import GroupedResidualFiniteScalar
from wavemill.tokenizers.hifigan import HifiganHead

SAMPLE_RATE = 44_100
FFT_SAMPLES = 2048
HOP_SAMPLES = 512
EDGE_SAMPLES = (FFT_SAMPLES - HOP_SAMPLES) // 2
"""Mirrored at both ends, so that a clip has a frame for every whole hop."""
SHORTEST_SAMPLES = EDGE_SAMPLES + 1
"""What can be mirrored."""


@dataclass(frozen=True, kw_only=True)
class FireflySizes:
    """The codec's sizes; the defaults are those of the published weights."""

    num_mels: int = 160
    depths: tuple[int, ...] = (3, 3, 9, 3)
    dims: tuple[int, ...] = (128, 256, 384, 512)
    drop_path: float = 0.2
    downsampling: tuple[int, ...] = (2, 2)
    levels: tuple[int, ...] = (8, 5, 5, 5)
    groups: int = 8
    num_quantizers: int = 1
    head_channels: int = 512


class DownsampledQuantizer(nn.Module):
    """Grouped finite scalar quantizers at a lower rate, with a ConvNeXt block after each change."""

    def __init__(self, dim: int, sizes: FireflySizes) -> None:
        """Set it up for features of size `dim`."""
        super().__init__()
        self.residual_fsq = GroupedResidualFiniteScalar(
            dim, sizes.levels, sizes.num_quantizers, sizes.groups
        )
        self.downsample = nn.Sequential(
            *(
                nn.Sequential(CausalConv(dim, dim, rate, stride=rate), ConvNeXtBlock(dim))
                for rate in sizes.downsampling
            )
        )
        self.upsample = nn.Sequential(
            *(
                nn.Sequential(CausalUpConv(dim, dim, rate, rate), ConvNeXtBlock(dim))
                for rate in reversed(sizes.downsampling)
            )
        )
        self.apply(init_small)

    def forward(self, x_BCF: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize features; what comes back may have up to three frames more.

        Returns:
            Features [B, C, F'] and ids [B, T, Q].

        """
        z_BTC, ids_BTQ = self.residual_fsq(self.downsample(x_BCF).mT)
        return self.upsample(z_BTC.mT), ids_BTQ

    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Give the features [B, C, F'] of ids."""
        features: Tensor = self.upsample(self.residual_fsq.decode(ids_BTQ).mT)
        return features


class Firefly(nn.Module):
    """Audio to ids and back."""

    def __init__(self, sizes: FireflySizes | None = None) -> None:
        """Draw first weights."""
        super().__init__()
        sizes = sizes or FireflySizes()
        self.sizes = sizes
        self.backbone = ConvNeXtEncoder(
            sizes.num_mels, sizes.depths, sizes.dims, drop_path=sizes.drop_path
        )
        self.quantizer = DownsampledQuantizer(sizes.dims[-1], sizes)
        self.head = HifiganHead(sizes.dims[-1], first_channels=sizes.head_channels)

    @property
    def windows(self) -> list[Window]:
        """What ids hear, layer by layer."""
        frames = Window(
            kernel=FFT_SAMPLES, stride=HOP_SAMPLES, left=EDGE_SAMPLES, right=EDGE_SAMPLES
        )
        return [frames, *windows_of(self.backbone), *windows_of(self.quantizer.downsample)]

    def forward(self, audio_BN: Tensor) -> tuple[Tensor, Tensor]:
        """Code and decode, as training does: audio [B, 1, N'] and ids [B, T, Q]."""
        features_BCF, ids_BTQ = self.quantizer(self.backbone(self.mel(audio_BN)))
        return self.head(features_BCF), ids_BTQ

    def mel(self, audio_BN: Tensor) -> Tensor:
        """Give what the encoder hears, [B, num_mels, F]; a clip has `SHORTEST_SAMPLES` or more."""
        return log_mel(audio_BN, self.sizes.num_mels)

    def encode(self, audio_BN: Tensor) -> Tensor:
        """Give ids [B, T, Q]; T is a quarter of the frames, rounded up."""
        return self.ids(self.mel(audio_BN))

    def ids(self, mel_BMF: Tensor) -> Tensor:
        """Give the ids of what `mel` gives."""
        z_BCT = self.quantizer.downsample(self.backbone(mel_BMF))
        ids_BTQ: Tensor = self.quantizer.residual_fsq(z_BCT.mT)[1]
        return ids_BTQ

    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Give audio [B, 1, N]: 2048 samples a step."""
        audio: Tensor = self.head(self.quantizer.decode(ids_BTQ))
        return audio


def log_mel(audio_BN: Tensor, num_mels: int) -> Tensor:
    """Log mel frames of the codec, [B, num_mels, F]: Slaney's bands of the magnitude."""
    padded = functional.pad(audio_BN[:, None], (EDGE_SAMPLES, EDGE_SAMPLES), mode="reflect")
    spectrum = torch.stft(
        padded[:, 0],
        FFT_SAMPLES,
        hop_length=HOP_SAMPLES,
        window=torch.hann_window(FFT_SAMPLES, device=audio_BN.device),
        center=False,
        return_complex=True,
    )
    power = torch.view_as_real(spectrum).square().sum(dim=-1)
    magnitude_BKF = torch.sqrt(power + 1e-6)
    mel_BFM = magnitude_BKF.mT @ _mel_bands(num_mels).to(audio_BN.device)
    return mel_BFM.mT.clamp(min=1e-5).log()


@cache
def _mel_bands(num_mels: int) -> Tensor:
    bands: Tensor = torchaudio.functional.melscale_fbanks(
        n_freqs=FFT_SAMPLES // 2 + 1,
        f_min=0.0,
        f_max=SAMPLE_RATE / 2,
        n_mels=num_mels,
        sample_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return bands
