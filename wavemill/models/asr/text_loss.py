"""What a decoder of texts loses.

Shapes end names: B batch, U units of a text, V units and the end.
"""

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.models.padding import is_real

IGNORED = -100
"""The target of a position that does not count."""


def text_loss(
    logits_BUV: Tensor,
    targets_BU: Tensor,
    units_B: Tensor,
    counts_B: Tensor,
    label_smoothing: float,
) -> Tensor:
    """Return the cross-entropy in nats, a sum over the units of texts and their ends.

    Args:
        logits_BUV: of each unit and the end, which is the last of V, [B, U + 1, V].
        targets_BU: the texts' ids.
        units_B: how long they are.
        counts_B: 1 for those that count, 0 for others.
        label_smoothing: share of the target that is spread over all units.

    """
    ids_BU = functional.pad(targets_BU, (0, 1))
    places_U = torch.arange(ids_BU.shape[1], device=ids_BU.device)
    ids_BU = ids_BU.masked_fill(places_U == units_B[:, None], logits_BUV.shape[2] - 1)
    counts_BU = is_real(units_B + 1, ids_BU.shape[1]) & (counts_B[:, None] > 0)
    return functional.cross_entropy(
        logits_BUV.float().flatten(0, 1),
        ids_BU.masked_fill(~counts_BU, IGNORED).flatten(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
