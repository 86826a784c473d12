"""What is padded, and what is real.

Shapes end names: B batch, N samples, T places.
"""

import torch
from torch import Tensor


def is_real(lengths_B: Tensor, size: int) -> Tensor:
    """Say which places are not padded, [B, size] bool."""
    return torch.arange(size, device=lengths_B.device) < lengths_B[:, None]


def silenced(audio_BN: Tensor, samples_B: Tensor) -> Tensor:
    """Return audio with zeros where it is padded."""
    return audio_BN.masked_fill(~is_real(samples_B, audio_BN.shape[1]), 0.0)
