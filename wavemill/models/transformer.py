"""A causal transformer: pre-norm blocks with rotary positions.

Sequences are padded on the right only. No real position looks at what comes after it, so causal
attention needs no mask of what is padded, and the fused kernels, which take none, serve.

Shapes end names: B batch, S positions, D features, H heads, E features of a head.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 10_000.0
INIT_STD = 0.02


class Block(nn.Module):
    """Attention and a feed-forward layer, each added to its input."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.from_heads = nn.Linear(width, width, bias=False)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = nn.Linear(width, 4 * width, bias=False)
        self.feed_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x_BSD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Return what the layer makes of its input, [B, S, D]."""
        x_BSD = x_BSD + self._drop(self._attend(self.attention_norm(x_BSD), turn))
        inner = functional.gelu(self.feed_in(self.feed_norm(x_BSD)))
        return x_BSD + self._drop(self.feed_out(inner))

    def _attend(self, x_BSD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        qkv = self.to_qkv(x_BSD).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q_BHSE, k_BHSE, v_BHSE = qkv.unbind(0)
        mixed = functional.scaled_dot_product_attention(
            rotate(q_BHSE, turn),
            rotate(k_BHSE, turn),
            v_BHSE,
            is_causal=True,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.from_heads(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Decoder(nn.Module):
    """A stack of blocks, [B, S, D] -> [B, S, D]; position s sees positions 0 to s."""

    def __init__(self, *, layers: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.head_width = width // heads
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        init_weights(self, layers)

    def forward(self, x_BSD: Tensor) -> Tensor:
        """Return the features of each position."""
        turn = angles(x_BSD.shape[1], self.head_width, x_BSD.device)
        for block in self.blocks:
            x_BSD = block(x_BSD, turn)
        return self.norm(x_BSD)  # type: ignore[no-any-return]


def init_weights(module: nn.Module, layers: int) -> None:
    """Draw all matrices; what is added to the residual starts smaller, the deeper the stack."""
    for name, weight in module.named_parameters():
        if weight.dim() > 1:
            added = name.endswith(("from_heads.weight", "feed_out.weight"))
            nn.init.normal_(weight, std=INIT_STD / math.sqrt(2 * layers if added else 1))


def angles(positions: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of each position's rotary angles, [S, E] float32."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device) / width)
    turn = torch.arange(positions, device=device)[:, None] * rates
    turn = torch.cat([turn, turn], 1)
    return turn.cos(), turn.sin()


def rotate(x_BHSE: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn pairs of features by their position (https://arxiv.org/abs/2104.09864)."""
    cosine, sine = (part.to(x_BHSE.dtype) for part in turn)
    first, second = x_BHSE.chunk(2, -1)
    return x_BHSE * cosine + torch.cat([-second, first], -1) * sine
