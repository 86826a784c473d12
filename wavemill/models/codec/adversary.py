"""What the adversary loses, and what the codec loses to it: hinge losses and feature matching.

As in EnCodec (Defossez et al., arXiv 2210.13438, section 3.4).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavemill.models.codec.discriminator import Judgement


def told_apart(real: Sequence[Judgement], made: Sequence[Judgement]) -> Tensor:
    """Return what the discriminator loses on each clip, [B]: a mean over scales and frames."""
    losses = [_hinge(one, 1) + _hinge(other, -1) for one, other in zip(real, made, strict=True)]
    return torch.stack(losses).mean(0)


def not_fooled(made: Sequence[Judgement]) -> Tensor:
    """Return what the codec loses on each clip where it is seen through, [B]."""
    return torch.stack([_hinge(one, 1) for one in made]).mean(0)


def unlike(real: Sequence[Judgement], made: Sequence[Judgement]) -> Tensor:
    """Return how far features of each clip are off, [B], as a share of their size."""
    shares = []
    for one, other in zip(real, made, strict=True):
        for here, there in zip(one.features, other.features, strict=True):
            wanted = here.detach().float()
            off = (wanted - there.float()).abs().mean((1, 3))
            size = wanted.abs().mean((1, 3))
            shares.append(_over_frames(one, off) / _over_frames(one, size).clamp(min=1e-4))
    return torch.stack(shares).mean(0)


def _hinge(judgement: Judgement, sign: int) -> Tensor:
    return _over_frames(judgement, (1 - sign * judgement.logits).relu().mean(-1))


def _over_frames(judgement: Judgement, values_BF: Tensor) -> Tensor:
    """Average over a clip's own frames, [B]."""
    real_BF = judgement.real
    return (values_BF * real_BF).sum(-1) / real_BF.sum(-1)
