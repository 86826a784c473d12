"""Frames drawn from a step's batches, alike on any number of ranks.

Each batch draws a frame and a random number for every place of the pool; of all batches the one
with the highest number has the place. So the pool does not depend on which rank had which batch.

    B batch, T frames, D features, P places, G frames that share an id
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.ranks import max_over_ranks, sum_over_ranks


class Pool(nn.Module):
    """Groups of frames, [P, G, D]."""

    rows: Tensor
    numbers: Tensor

    def __init__(self, places: int, group: int, dim: int) -> None:
        """Make an empty pool; it holds nothing between steps, so no checkpoint has it."""
        super().__init__()
        self.register_buffer("rows", torch.zeros(places, group, dim), persistent=False)
        self.register_buffer("numbers", torch.zeros(places), persistent=False)

    @torch.no_grad()
    def add(self, latents_BTD: Tensor, real_BT: Tensor) -> None:
        """Draw from a batch, of the groups without padding, with torch's default generator."""
        group, places = self.rows.shape[1], len(self.numbers)
        missing = -latents_BTD.shape[1] % group
        groups = functional.pad(latents_BTD, (0, 0, 0, missing)).unflatten(1, (-1, group))
        whole = functional.pad(real_BT, (0, missing)).unflatten(1, (-1, group)).all(2)
        ends = whole.flatten().cumsum(0)
        wanted = torch.rand(places, device=ends.device) * ends[-1]
        chosen = torch.searchsorted(ends, wanted.floor(), right=True).clamp(max=len(ends) - 1)
        drawn_PGD = groups.flatten(0, 1)[chosen]
        numbers_P = torch.rand(places, device=ends.device) * (ends[-1] > 0)
        wins_P = numbers_P > self.numbers
        self.numbers.copy_(torch.where(wins_P, numbers_P, self.numbers))
        self.rows.copy_(torch.where(wins_P[:, None, None], drawn_PGD, self.rows))

    @torch.no_grad()
    def take(self) -> Tensor:
        """Return what all ranks drew, [P, G, D], and empty the pool."""
        wins_P = (self.numbers == max_over_ranks(self.numbers.clone())).float()
        rows_PGD = sum_over_ranks(self.rows * wins_P[:, None, None])
        taken = rows_PGD / sum_over_ranks(wins_P)[:, None, None]
        self.rows.zero_()
        self.numbers.zero_()
        return taken
