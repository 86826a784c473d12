"""Which patches are kept, and which are to be predicted.

Shapes end names: B batch, T patches, K places for kept patches.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from wavemill.models.padding import is_real


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The patches of a batch that are encoded."""

    places: Tensor
    """Where each kept patch is, [B, K] int64, in order; anywhere where there is none."""
    real: Tensor
    """Which of the K places hold a patch, [B, K]."""
    masked: Tensor
    """Which real patches are not kept, and are to be predicted, [B, T]."""


def keep_some(patches_B: Tensor, total: int, mask: float) -> Kept:
    """Draw the patches that are kept, from torch's generator.

    A row keeps its share of its own patches, rounded, and at least one: so what is padded changes
    neither how many are kept nor how many are predicted. All shapes follow from `total`.

    Args:
        patches_B: how many of each row are real.
        total: of a row with its padding, T.
        mask: the share of real patches that is not kept.

    """
    device = patches_B.device
    places = max(round(total * (1 - mask)), 1)
    real_BT = is_real(patches_B, total)
    draws_BT = torch.rand(len(patches_B), total, device=device).masked_fill(~real_BT, 2.0)
    wanted_B = (patches_B * (1 - mask)).round().long().clamp(min=1)
    wanted_B = torch.minimum(wanted_B, patches_B).clamp(max=places)
    real_BK = is_real(wanted_B, places)
    chosen_BK = draws_BT.argsort(1)[:, :places].masked_fill(~real_BK, total).sort(1).values
    kept_BT = torch.zeros(len(patches_B), total + 1, device=device, dtype=torch.bool)
    kept_BT = kept_BT.scatter(1, chosen_BK, value=True)[:, :total]
    return Kept(places=chosen_BK.clamp(max=total - 1), real=real_BK, masked=real_BT & ~kept_BT)
