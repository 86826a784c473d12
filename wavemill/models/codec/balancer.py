"""EnCodec's balancer: each loss pulls at the decoded audio as hard as its weight says.

Defossez et al., arXiv 2210.13438, section 3.4: the gradient g of each loss with respect to the
audio becomes g * (weight / sum of weights) / (average norm of g), whatever the loss is in. Averages
are of earlier steps (there they hold this step, too), so that batches of one step, on one rank or
several, are weighed alike; in the first step each batch has its own.

    B batch, N samples, L losses
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wavemill.models.ranks import sum_over_ranks

DECAY = 0.999
LEAST = 1e-12


class Balancer(nn.Module):
    """Averages of the norms of gradients, kept in buffers."""

    sums: Tensor
    weights: Tensor
    step_norms: Tensor
    step_counts: Tensor

    def __init__(self, weights: Mapping[str, float]) -> None:
        """Take the losses' weights."""
        super().__init__()
        self._weights = dict(weights)
        self._names = list(weights)
        count = len(self._names)
        for name, persistent in (("sums", True), ("weights", True),
                                 ("step_norms", False), ("step_counts", False)):  # fmt: skip
            self.register_buffer(name, torch.zeros(count), persistent=persistent)

    def balance(self, losses: Mapping[str, Tensor], audio_BN: Tensor) -> Tensor:
        """Return the gradient [B, N] that the audio gets of all losses.

        Args:
            losses: scalars, sums over the clips, of some of the names.
            audio_BN: a leaf that they come from.

        """
        total_weight = sum(self._weights[name] for name in losses)
        balanced = torch.zeros_like(audio_BN)
        for name, loss in losses.items():
            place = self._names.index(name)
            (gradient_BN,) = torch.autograd.grad(loss, audio_BN, retain_graph=True)
            norms_B = gradient_BN.norm(dim=1)
            own = norms_B.mean()
            self.step_norms[place] += norms_B.sum()
            self.step_counts[place] += len(norms_B)
            known = self.sums[place] / self.weights[place].clamp(min=LEAST)
            average = torch.where(self.weights[place] > 0, known, own)
            share = self._weights[name] / total_weight
            balanced = balanced + gradient_BN * (share / average.clamp(min=LEAST))
        return balanced

    def after_step(self) -> None:
        """Take a step's norms, of all ranks, into the averages."""
        both = sum_over_ranks(torch.cat([self.step_norms, self.step_counts]))
        norms, counts = both.chunk(2)
        heard = counts > 0
        mean = norms / counts.clamp(min=1)
        self.sums.copy_(torch.where(heard, self.sums * DECAY + mean, self.sums))
        self.weights.copy_(torch.where(heard, self.weights * DECAY + 1, self.weights))
        self.step_norms.zero_()
        self.step_counts.zero_()
