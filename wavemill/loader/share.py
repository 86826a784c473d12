"""What of a window is a rank's: dealt out evenly, and again when the number of ranks changes."""

from dataclasses import replace

import numpy as np

from wavemill.loader.progress import Progress
from wavemill.loader.windows import Window
from wavemill.sharding.batches import EpochPlan
from wavemill.sharding.flat import rearrange
from wavemill.sharding.ranks import RankPlan, deal


def deal_window(window: Window, progress: Progress, world_size: int) -> RankPlan:
    """Deal out to ranks what is left of a window.

    Where the number of ranks is that of the last deal, this is that deal whole, of which
    `progress.steps` were taken; else what was not taken is dealt anew.

    Args:
        window: planned.
        progress: what was taken of it.
        world_size: how many ranks there are now.

    """
    plan = window.plan
    for number, (ranks, steps) in enumerate(progress.dealt, 1):
        ranked = _deal(plan, window, ranks)
        if number == len(progress.dealt) and ranks == world_size:
            return ranked
        # What was repeated to make a step full is not owed to anyone.
        plan = _between(ranked.plan, steps * ranks, len(ranked.plan) - ranked.repeated)
    return _deal(plan, window, world_size)


def _deal(plan: EpochPlan, window: Window, world_size: int) -> RankPlan:
    if not len(plan):
        return RankPlan(plan=plan, world_size=world_size, repeated=0)
    return deal(plan, window.by, window.tokens, world_size)


def _between(plan: EpochPlan, first: int, last: int) -> EpochPlan:
    """Return some of a plan's batches."""
    batches = np.arange(first, max(first, last))
    order, offsets = rearrange(plan.order, plan.sizes, batches)
    return replace(
        plan,
        order=order,
        offsets=offsets,
        max_seconds=plan.max_seconds[batches],
        max_tokens=plan.max_tokens[batches],
        bucket_of_batch=plan.bucket_of_batch[batches],
    )
