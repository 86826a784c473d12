"""How a masked language model fills a codebook: all at once, then again what is least likely.

As MAGNeT does it (https://arxiv.org/abs/2401.04577): 20 steps for the first codebook and 10 for
each after it, hiding ever fewer of the spans that are least likely, each judged by its likeliest
id; the temperature falls to zero, and the guidance by the condition from 10 to 1. MaskGCT's
schedule, run backwards, hides the same shares.

Shapes end names: B batch, T frames, Q codebooks, G groups of frames, K ids of a codebook.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.models.token_lm.condition import Condition
from wavemill.models.token_lm.masks import magnet_rate
from wavemill.models.token_lm.sampling import Sampler

if TYPE_CHECKING:
    from wavemill.models.token_lm.masked import Masked

STEPS = (20, 10)
"""Of the first codebook, and of each after it."""
GUIDANCE = (10.0, 1.0)
"""At the first step, and what it falls to."""


def fill_stage(
    model: "Masked",
    ids_BTQ: Tensor,
    stage: int,
    known: int,
    sampler: Sampler,
    condition: Condition | None,
) -> None:
    """Fill a codebook in place.

    Args:
        model: the model.
        ids_BTQ: the codebooks before it are full, and the first `known` frames of all.
        stage: the codebook.
        known: frames of the prompt.
        sampler: draws an id by its logits.
        condition: what rows are told.

    """
    frames = ids_BTQ.shape[1]
    groups = -(-frames // model.span)
    whole = known // model.span
    least_BG = torch.zeros(len(ids_BTQ), groups, device=ids_BTQ.device)
    least_BG[:, :whole] = -torch.inf
    steps = STEPS[min(stage, 1)]
    for step, time in enumerate(torch.linspace(0, 1, steps)):
        rate = float(magnet_rate(time))
        hidden = max(int(rate * (groups - whole)), 1)
        chosen_BG = torch.zeros_like(least_BG, dtype=torch.bool)
        chosen_BG.scatter_(1, least_BG.topk(hidden, 1).indices, value=True)
        holes_BT = chosen_BG.repeat_interleave(model.span, 1)[:, :frames].clone()
        holes_BT[:, :known] = False
        ids_BTQ[:, :, stage].masked_fill_(holes_BT, model.empty)
        logits_BTK = _guided(model, ids_BTQ, stage, condition, rate)
        annealed = (steps - 1 - step) / steps
        drawn_BT = sampler.draw(logits_BTK, annealed)
        ids_BTQ[:, :, stage] = torch.where(holes_BT, drawn_BT, ids_BTQ[:, :, stage])
        shares_BTK = sampler.scale(logits_BTK, annealed).softmax(-1)
        shares_BT = shares_BTK.gather(2, drawn_BT[:, :, None])[:, :, 0]
        filled = functional.pad(shares_BT, (0, groups * model.span - frames))
        best_BG = filled.unflatten(1, (groups, model.span)).amax(2)
        # What was kept once stays.
        least_BG = (1 - best_BG).masked_fill(~chosen_BG, -torch.inf)


def _guided(
    model: "Masked", ids_BTQ: Tensor, stage: int, condition: Condition | None, rate: float
) -> Tensor:
    """Return logits, [B, T, K], drawn away from those of a model that is told nothing."""
    rows, frames, _ = ids_BTQ.shape
    stage_B = torch.full((rows,), stage, device=ids_BTQ.device)
    lengths_B = torch.full((rows,), frames, device=ids_BTQ.device)
    if condition is None or not model.condition_drop:
        return model.guess(ids_BTQ, stage_B, lengths_B, condition)
    # Both in one pass: the second half is told nothing.
    twice = Condition(
        ids=condition.ids.repeat(2, 1, 1),
        lengths=torch.cat([condition.lengths, torch.zeros_like(condition.lengths)]),
    )
    both = model.guess(ids_BTQ.repeat(2, 1, 1), stage_B.repeat(2), lengths_B.repeat(2), twice)
    told, untold = both.chunk(2)
    first, last = GUIDANCE
    return untold + (told - untold) * (rate * first + (1 - rate) * last)
