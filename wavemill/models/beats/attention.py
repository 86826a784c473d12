"""Attention with BEATs' gated relative positions.

Chen et al., https://arxiv.org/abs/2212.09058; the bias of distances is T5's
(https://arxiv.org/abs/1910.10683), its gate WavLM's (https://arxiv.org/abs/2110.13900). The weights
have the names that they have in Microsoft's checkpoints.

Shapes end names: B batch, T patches, D features, H heads, E features of a head.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

BUCKETS = 320
MAX_DISTANCE = 800
_GATE = 8


class Attention(nn.Module):
    """Attention of all to all that are real."""

    def __init__(self, width: int, heads: int, dropout: float, bias: nn.Embedding) -> None:
        """Make it; `bias` is one for all layers of a stack."""
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.grep_linear = nn.Linear(width // heads, _GATE)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))
        self.relative_attention_bias = bias

    def forward(self, x_BTD: Tensor, bias_BHTT: Tensor, hidden_B11T: Tensor) -> Tensor:
        """Return what each place makes of all, [B, T, D].

        Args:
            x_BTD: features.
            bias_BHTT: of the distances, before its gate; B or 1.
            hidden_B11T: true where a place is not to be looked at.

        """
        q_BHTE, k_BHTE, v_BHTE = (
            part(x_BTD).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias_BHTT = (self._gate(q_BHTE) * bias_BHTT).to(q_BHTE.dtype)
        # Not minus infinity: a row of nothing but padding has to have a finite result.
        bias_BHTT = bias_BHTT.masked_fill(hidden_B11T, torch.finfo(q_BHTE.dtype).min)
        mixed_BHTE = functional.scaled_dot_product_attention(
            q_BHTE,
            k_BHTE,
            v_BHTE,
            attn_mask=bias_BHTT,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out_proj(mixed_BHTE.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _gate(self, q_BHTE: Tensor) -> Tensor:
        halves = self.grep_linear(q_BHTE).unflatten(3, (2, _GATE // 2)).sum(-1)
        first, second = halves.sigmoid().chunk(2, -1)
        return first * (second * self.grep_a - 1.0) + 2.0  # type: ignore[no-any-return]


def buckets(distances: Tensor) -> Tensor:
    """Return the bucket of each distance, int64: exact ones, then ever wider ones; a side each.

    Args:
        distances: from the place that looks to the one that is looked at, int64.

    """
    side = BUCKETS // 2
    exact = side // 2
    size = distances.abs()
    ratio = (size.clamp(min=exact).float() / exact).log() / math.log(MAX_DISTANCE / exact)
    wide = (exact + (ratio * (side - exact)).long()).clamp(max=side - 1)
    return (distances > 0).long() * side + torch.where(size < exact, size, wide)
