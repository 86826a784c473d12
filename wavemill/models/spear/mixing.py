"""Other audio mixed into what is heard, while the tokens stay those of what is heard alone.

As in WavLM (https://arxiv.org/abs/2110.13900), but for whole samples.

Shapes end names: B batch, N samples.
"""

import torch
from torch import Tensor

from wavemill.models.padding import is_real, silenced

_FLOOR = 1e-10
"""Of a power: below it lies silence."""


def mix(
    audio_BN: Tensor,
    samples_B: Tensor,
    is_audio_B: Tensor,
    *,
    share: float,
    lowest_db: float,
    highest_db: float,
) -> Tensor:
    """Mix some samples of a batch with others, [B, N].

    Args:
        audio_BN: float32.
        samples_B: how many of N are real.
        is_audio_B: which samples are not speech: they are mixed into others, nothing into them. In
            a batch of one kind any other sample is mixed in.
        share: of the samples that may have something mixed in, how many have.
        lowest_db: how much louder, at the least, a sample is than what is mixed into it.
        highest_db: and at the most.

    """
    size, device = len(audio_BN), audio_BN.device
    clean_BN = silenced(audio_BN, samples_B)
    power_B = clean_BN.square().sum(1) / samples_B.clamp(min=1)
    # The other: one that is not speech before any, never the sample itself.
    scores_BB = torch.rand(size, size, device=device) + is_audio_B.float()[None]
    own_BB = torch.eye(size, dtype=torch.bool, device=device)
    other_B = scores_BB.masked_fill(own_BB, -1.0).argmax(1)
    levels_B = lowest_db + (highest_db - lowest_db) * torch.rand(size, device=device)
    gain_B = (power_B / power_B[other_B].clamp(min=_FLOOR) / 10 ** (levels_B / 10)).sqrt()
    is_mixed_B = torch.rand(size, device=device) < share
    is_mixed_B &= ~is_audio_B | is_audio_B.all()
    is_mixed_B &= (power_B[other_B] > _FLOOR) & (other_B != torch.arange(size, device=device))
    added_BN = clean_BN[other_B] * (gain_B * is_mixed_B)[:, None]
    return clean_BN + added_BN * is_real(samples_B, audio_BN.shape[1])
