"""Where speech begins: between the norms of frames of speech and of others, two running Gaussians.

Shapes end names: B batch, F frames, C classes: 0 no speech, 1 speech.
"""

import torch
from torch import Tensor, nn

from wavemill.models.ranks import sum_over_ranks

LEAST = 1e-4
"""Of a variance, so that the two can be compared."""


class NormStatistics(nn.Module):
    """Running count, mean and variance of both classes."""

    running: Tensor
    step: Tensor

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        # Counts, sums and sums of squares, [C, 3]: ratios of them are right from the first step on.
        self.register_buffer("running", torch.zeros(2, 3))
        self.register_buffer("step", torch.zeros(2, 3))

    @torch.no_grad()
    def add(self, norms_BF: Tensor, speech_BF: Tensor, real_BF: Tensor) -> None:
        """Note the norms of a batch."""
        values = torch.stack([torch.ones_like(norms_BF), norms_BF, norms_BF.square()], 2).float()
        classes = torch.stack([~speech_BF & real_BF, speech_BF & real_BF])
        self.step += torch.einsum("cbf,bfv->cv", classes.float(), values)

    @torch.no_grad()
    def finish_step(self) -> None:
        """Take what was noted in a step, on all ranks, into the running sums."""
        whole = sum_over_ranks(self.step.clone())
        share = whole / whole[:, :1].clamp(min=1)
        self.running.mul_(self.decay).add_(share, alpha=1 - self.decay)
        self.step.zero_()

    def threshold(self) -> Tensor:
        """Return the norm between both means at which both densities are the same, a scalar.

        It is 0, at which all is speech, before anything was noted, and as long as the means are
        nearer to each other than both deviations together: a young model gives silence no smaller
        features, and frames of speech that a threshold cut off would teach it to drop more.
        """
        count_C, total_C, squares_C = self.running.unbind(1)
        count_C = count_C.clamp(min=1e-12)
        mean_C = total_C / count_C
        spread_C = (squares_C / count_C - mean_C.square()).clamp(min=LEAST).sqrt()
        # Densities are compared on a grid: one root of the two lies between the means.
        places = torch.linspace(0, 1, 1001, device=mean_C.device)
        grid = mean_C[0] + places * (mean_C[1] - mean_C[0])
        scaled = (grid[:, None] - mean_C) / spread_C
        density = -0.5 * scaled.square() - spread_C.log()
        crossing = (density[:, 0] > density[:, 1]).sum().clamp(max=len(places) - 1)
        apart = mean_C[1] - mean_C[0] > spread_C.sum()
        return torch.where(apart, grid.gather(0, crossing[None])[0], 0.0)
