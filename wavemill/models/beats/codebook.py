"""A codebook on the unit sphere, whose words move with the averages of what they stand for.

The exponential moving averages of https://arxiv.org/abs/1711.00937, with words and points of length
one, as in BEiT v2 (https://arxiv.org/abs/2208.06366), whose quantizer BEATs' tokenizer has.

Shapes end names: N points, K words, C features.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.ranks import sum_over_ranks


class Codebook(nn.Module):
    """Words [K, C] of length one; no gradients reach them."""

    weight: Tensor
    cluster_size: Tensor
    initted: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, size: int, dim: int, decay: float) -> None:
        """Draw words, which `fill` is to replace."""
        super().__init__()
        self.decay = decay
        self.register_buffer("weight", functional.normalize(torch.randn(size, dim), dim=1))
        self.register_buffer("cluster_size", torch.zeros(size))
        self.register_buffer("initted", torch.zeros(1))
        # Of the batches since the last step.
        self.register_buffer("counts", torch.zeros(size), persistent=False)
        self.register_buffer("sums", torch.zeros(size, dim), persistent=False)

    def fill(self, words_KC: Tensor) -> None:
        """Begin with other words, of length one."""
        self.weight.copy_(words_KC)
        self.initted.fill_(1.0)

    def forward(self, points_NC: Tensor, real_N: Tensor) -> tuple[Tensor, Tensor]:
        """Return the words nearest to points of length one, [N, C], and their ids, [N] int64.

        In training, points that are real count towards the next `move`.
        """
        points_NC = points_NC.detach().float()
        ids_N = (points_NC @ self.weight.T).argmax(1)
        words_NC = self.weight[ids_N]
        if self.training:
            ones_N = real_N.float()
            self.counts.index_add_(0, ids_N, ones_N)
            self.sums.index_add_(0, ids_N, points_NC * ones_N[:, None])
        return words_NC, ids_N

    @torch.no_grad()
    def move(self) -> None:
        """Move the words towards the means of what all ranks had since the last step."""
        counts_K, sums_KC = sum_over_ranks(self.counts), sum_over_ranks(self.sums)
        self.cluster_size.lerp_(counts_K, 1 - self.decay)
        means_KC = functional.normalize(sums_KC, dim=1)
        moved_KC = functional.normalize(self.weight.lerp(means_KC, 1 - self.decay), dim=1)
        self.weight.copy_(torch.where(counts_K[:, None] > 0, moved_KC, self.weight))
        counts_K.zero_()
        sums_KC.zero_()
