"""A conformer (https://arxiv.org/abs/2005.08100) as FastConformer has it: kernels of 9 frames.

Two things are others than there, so that a clip comes out the same alone and in any batch, on any
number of ranks: positions are rotary, and the norm in the convolution is over features, not over
the batch.

Shapes end names: B batch, T frames, D features, H heads, E features of a head.
"""

from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.padding import is_real
from wavemill.models.transformer import angles, rotate

KERNEL = 9


class Feed(nn.Module):
    """A feed-forward layer of four times the width, half of which is added."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return what the layer makes of its input, [B, T, D]."""
        return x_BTD + 0.5 * self.layers(x_BTD)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Attention to all real frames."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor], real_BT: Tensor) -> Tensor:
        """Return what the layer makes of its input, [B, T, D]."""
        qkv = self.to_qkv(self.norm(x_BTD)).unflatten(2, (3, self.heads, -1))
        q_BHTE, k_BHTE, v_BHTE = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(
            rotate(q_BHTE, turn), rotate(k_BHTE, turn), v_BHTE, attn_mask=real_BT[:, None, None]
        )
        mixed = self.out(mixed.transpose(1, 2).flatten(2))
        return x_BTD + functional.dropout(mixed, self.dropout, self.training)


class Convolution(nn.Module):
    """A depthwise convolution over time, between two layers over features."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gated = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.inner_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)
        self.dropout = dropout

    def forward(self, x_BTD: Tensor, real_BT: Tensor) -> Tensor:
        """Return what the layer makes of its input, [B, T, D]."""
        inner = functional.glu(self.gated(self.norm(x_BTD)), 2) * real_BT[:, :, None]
        inner = self.depthwise(inner.transpose(1, 2)).transpose(1, 2)
        inner = self.out(functional.silu(self.inner_norm(inner)))
        return x_BTD + functional.dropout(inner, self.dropout, self.training)


class Block(nn.Module):
    """Feed, attend, convolve, feed."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.feed_in, self.feed_out = Feed(width, dropout), Feed(width, dropout)
        self.attention = Attention(width, heads, dropout)
        self.convolution = Convolution(width, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor], real_BT: Tensor) -> Tensor:
        """Return what the layer makes of its input, [B, T, D]."""
        x_BTD = self.attention(self.feed_in(x_BTD), turn, real_BT)
        return self.norm(self.feed_out(self.convolution(x_BTD, real_BT)))  # type: ignore[no-any-return]


class Conformer(nn.Module):
    """A stack of blocks, [B, T, D] -> [B, T, D]; padded frames are seen by none."""

    def __init__(self, *, layers: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.head_width, self.dropout = width // heads, dropout
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))

    def forward(self, x_BTD: Tensor, frames_B: Tensor) -> Tensor:
        """Return the features of each frame.

        Args:
            x_BTD: what was heard.
            frames_B: how many of T are real, at least 1.

        """
        real_BT = is_real(frames_B, x_BTD.shape[1])
        turn = angles(x_BTD.shape[1], self.head_width, x_BTD.device)
        x_BTD = functional.dropout(x_BTD, self.dropout, self.training)
        for block in self.blocks:
            x_BTD = block(x_BTD, turn, real_BT)
        return x_BTD
