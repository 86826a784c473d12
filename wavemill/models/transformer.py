"""A transformer: pre-norm blocks with rotary positions, causal unless a mask says otherwise.

Sequences are padded on the right only, or begin late: position s of a row sees those from the row's
start to s. Where all rows start at 0, causal attention needs no mask, and the fused kernels, which
take none, serve.

Shapes end names: B batch, S positions, D features, H heads, E features of a head.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 10_000.0
INIT_STD = 0.02


class Cache:
    """Keys and values of the positions that were read, so that each is read once."""

    def __init__(self, most: int, starts_B: Tensor | None = None) -> None:
        """Make room.

        Args:
            most: positions that may be read.
            starts_B: the first position of each row; 0 if None.

        """
        self.positions, self.starts_B = 0, starts_B
        self._most = most
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def extend(self, layer: int, k_BHSE: Tensor, v_BHSE: Tensor) -> tuple[Tensor, Tensor]:
        """Keep a layer's next keys and values, and return all of them so far."""
        if layer not in self._kept:
            batch, heads, _, width = k_BHSE.shape
            shape = (batch, heads, self._most, width)
            self._kept[layer] = k_BHSE.new_empty(shape), v_BHSE.new_empty(shape)
        end = self.positions + k_BHSE.shape[2]
        for kept, given in zip(self._kept[layer], (k_BHSE, v_BHSE), strict=True):
            kept[:, :, self.positions : end] = given
        keys, values = self._kept[layer]
        return keys[:, :, :end], values[:, :, :end]


class Block(nn.Module):
    """Attention and a feed-forward layer, each added to its input.

    Dropout is of what is added, not of attention's weights: with that a CPU has no fused kernel.
    """

    def __init__(self, width: int, heads: int, dropout: float, layer: int = 0) -> None:
        super().__init__()
        self.heads, self.dropout, self.layer = heads, dropout, layer
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.from_heads = nn.Linear(width, width, bias=False)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = nn.Linear(width, 4 * width, bias=False)
        self.feed_out = nn.Linear(4 * width, width, bias=False)

    def forward(
        self,
        x_BSD: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return what the layer makes of its input, [B, S, D]."""
        x_BSD = x_BSD + self._drop(self._attend(self.attention_norm(x_BSD), turn, mask, cache))
        inner = functional.gelu(self.feed_in(self.feed_norm(x_BSD)))
        return x_BSD + self._drop(self.feed_out(inner))

    def _attend(
        self,
        x_BSD: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        qkv = self.to_qkv(x_BSD).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q_BHSE, k_BHSE, v_BHSE = qkv.unbind(0)
        q_BHSE, k_BHSE = rotate(q_BHSE, turn), rotate(k_BHSE, turn)
        if cache is not None:
            k_BHSE, v_BHSE = cache.extend(self.layer, k_BHSE, v_BHSE)
        mixed = functional.scaled_dot_product_attention(
            q_BHSE,
            k_BHSE,
            v_BHSE,
            attn_mask=mask,
            is_causal=mask is None and q_BHSE.shape[2] > 1,
        )
        return self.from_heads(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Decoder(nn.Module):
    """A stack of blocks, [B, S, D] -> [B, S, D]; position s sees positions 0 to s."""

    def __init__(self, *, layers: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.head_width = width // heads
        self.blocks = nn.ModuleList(Block(width, heads, dropout, layer) for layer in range(layers))
        self.norm = nn.LayerNorm(width)
        init_weights(self, layers)

    def forward(
        self,
        x_BSD: Tensor,
        *,
        starts_B: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return the features of each position.

        Args:
            x_BSD: positions; those after the ones in the cache, if there is one.
            starts_B: the first position of each row that is seen, where not all start at 0.
            mask: what sees what in place of that, [B, 1, S, S] bool, True where it is seen.
            cache: of what was read before; what is read now is added. It knows the rows' starts.

        """
        first, positions = (cache.positions if cache else 0), x_BSD.shape[1]
        if cache is not None:
            starts_B = cache.starts_B
        if mask is None and (starts_B is not None or (first and positions > 1)):
            mask = causal_mask(first, positions, starts_B, x_BSD.device)
        turn = angles(positions, self.head_width, x_BSD.device, first)
        for block in self.blocks:
            x_BSD = block(x_BSD, turn, mask, cache)
        if cache is not None:
            cache.positions += positions
        return self.norm(x_BSD)  # type: ignore[no-any-return]


def causal_mask(
    first: int, positions: int, starts_B: Tensor | None, device: torch.device
) -> Tensor:
    """Return which positions are seen from positions `first` on, [B or 1, 1, S, first + S] bool.

    Each sees itself, so that none sees nothing: those before a row's start mean nothing.
    """
    keys = torch.arange(first + positions, device=device)
    queries = keys[first:, None]
    if starts_B is None:
        return (keys <= queries)[None, None]
    seen = (keys <= queries) & (keys >= starts_B[:, None, None])
    return (seen | (keys == queries))[:, None]


def init_weights(module: nn.Module, layers: int) -> None:
    """Draw all matrices; what is added to the residual starts smaller, the deeper the stack."""
    for name, weight in module.named_parameters():
        if weight.dim() > 1:
            added = name.endswith(("from_heads.weight", "feed_out.weight"))
            nn.init.normal_(weight, std=INIT_STD / math.sqrt(2 * layers if added else 1))


def angles(
    positions: int, width: int, device: torch.device, first: int = 0
) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the rotary angles of positions from `first` on, [S, E] float32."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device) / width)
    turn = torch.arange(first, first + positions, device=device)[:, None] * rates
    turn = torch.cat([turn, turn], 1)
    return turn.cos(), turn.sin()


def rotate(x_BHSE: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn pairs of features by their position (https://arxiv.org/abs/2104.09864)."""
    cosine, sine = (part.to(x_BHSE.dtype) for part in turn)
    first, second = x_BHSE.chunk(2, -1)
    return x_BHSE * cosine + torch.cat([-second, first], -1) * sine
