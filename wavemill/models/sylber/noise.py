"""Clips that are heard with another one beside them.

Shapes end names: B batch, N samples.
"""

import torch
from torch import Tensor

LOUDER_DB = (5.0, 20.0)
"""By how much a clip is louder than the one that is mixed into it."""


def add_others(audio_BN: Tensor, lengths_B: Tensor, share: float) -> Tensor:
    """Mix some clips with the next one of the batch.

    Args:
        audio_BN: clips.
        lengths_B: samples of each.
        share: of the clips, that are mixed.

    """
    real_BN = torch.arange(audio_BN.shape[1], device=audio_BN.device) < lengths_B[:, None]
    audio_BN = audio_BN.masked_fill(~real_BN, 0)
    power_B = audio_BN.square().sum(1) / lengths_B.clamp(min=1)
    draws_B, levels_B = torch.rand(2, len(audio_BN), device=audio_BN.device).unbind(0)
    low, high = LOUDER_DB
    ratio_B = 10 ** (-(low + (high - low) * levels_B) / 10)
    gain_B = (power_B * ratio_B / power_B.roll(1).clamp(min=1e-10)).sqrt()
    gain_B = gain_B * (draws_B < share)
    return audio_BN + audio_BN.roll(1, 0) * gain_B[:, None] * real_BN
