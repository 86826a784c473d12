"""HuBERT's architecture, of any size, over batches of clips of different lengths.

What is padded is never attended to, and its frames enter the convolution over positions as zeros,
as what is beyond a clip's ends does. With a norm of each frame alone it does not show at all.

Shapes end names: B batch, N samples, F frames, D features.
"""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from wavemill.models.sylber.config import SylberConfig
from wavemill.packages import require
from wavemill.tokenizers.hubert_long import receptive_field

SAMPLE_RATE = 16_000
_POSITIONS = 128
"""Frames that the convolution over positions spans; its groups divide the width."""


def make_hubert(config: SylberConfig) -> Any:
    """Make a `transformers.HubertModel` with random weights, without dropout and masks.

    Raises:
        UsageError: transformers is not installed.

    """
    hubert = require("transformers.models.hubert", "codecs", "sylber")
    groups = next(count for count in (16, 8, 4, 2, 1) if config.width % count == 0)
    settings = hubert.HubertConfig(
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.feed,
        conv_dim=(config.channels,) * 7,
        feat_extract_norm=config.norm,
        num_conv_pos_embeddings=_POSITIONS,
        num_conv_pos_embedding_groups=groups,
        attn_implementation="sdpa",
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
        **dict.fromkeys(
            ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout",
             "layerdrop"),
            0.0,
        ),
    )  # fmt: skip
    return hubert.HubertModel(settings)


def count_frames(config: Any, lengths_B: Tensor) -> Tensor:
    """Return how many frames clips of so many samples have, at least one."""
    field = receptive_field(config.conv_kernel, config.conv_stride)
    frames_B: Tensor = (lengths_B - field) // prod(config.conv_stride) + 1
    return frames_B.clamp(min=1)


def normalised(audio_BN: Tensor, lengths_B: Tensor) -> Tensor:
    """Give each clip mean 0 and deviation 1, and zeros where it is padded; silence stays zero."""
    real_BN = torch.arange(audio_BN.shape[1], device=audio_BN.device) < lengths_B[:, None]
    count_B1 = lengths_B[:, None].clamp(min=2).float()
    audio_BN = audio_BN.masked_fill(~real_BN, 0)
    centred_BN = (audio_BN - audio_BN.sum(1, keepdim=True) / count_B1).masked_fill(~real_BN, 0)
    spread_B1 = (centred_BN.square().sum(1, keepdim=True) / (count_B1 - 1)).sqrt()
    return centred_BN / torch.where(spread_B1 > 0, spread_B1, torch.ones_like(spread_B1))


def run_hubert(net: Any, wave_BN: Tensor, frames_B: Tensor) -> Tensor:
    """Return the last layer's features, [B, F, D]; those of padded frames mean nothing.

    Args:
        net: what `make_hubert` makes.
        wave_BN: clips of mean 0 and deviation 1.
        frames_B: how many frames of each are real.

    """
    # A clip that is shorter than a frame is filled up to one.
    field = receptive_field(net.config.conv_kernel, net.config.conv_stride)
    wave_BN = nn.functional.pad(wave_BN, (0, max(0, field - wave_BN.shape[1])))
    hidden_BFD: Tensor = net.feature_projection(net.feature_extractor(wave_BN).mT)
    real_BF = torch.arange(hidden_BFD.shape[1], device=wave_BN.device) < frames_B[:, None]
    hidden_BFD = hidden_BFD.masked_fill(~real_BF[:, :, None], 0)
    hidden_BFD = hidden_BFD + net.encoder.pos_conv_embed(hidden_BFD)
    hidden_BFD = net.encoder.layer_norm(hidden_BFD)
    # Padded frames see themselves, so that none sees nothing.
    own = torch.eye(hidden_BFD.shape[1], dtype=torch.bool, device=wave_BN.device)
    mask = (real_BF[:, None, :] | own)[:, None]
    for layer in net.encoder.layers:
        hidden_BFD = layer(hidden_BFD, attention_mask=mask)
    return hidden_BFD
