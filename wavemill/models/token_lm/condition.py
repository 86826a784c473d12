"""What a language model is told before it begins: bytes of a text, or the ids of another stream.

It is read as a prefix: rows that have a shorter one begin later, so that all rows' ids begin at one
position. Positions are rotary, hence relative, and what is before a row's start is never seen.

Shapes end names: B batch, P positions of the prefix, C codebooks, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wavemill.models.token_lm.layouts import offset
from wavemill.models.transformer import init_weights

BYTES = 256


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a batch's rows are told."""

    ids: Tensor
    """[B, P, C] int64; what is padded, on the right, may be any id."""
    lengths: Tensor
    """[B] int64: how many of P are real; none for a row that is told nothing."""


def text_condition(texts: Sequence[str | None], device: torch.device) -> Condition:
    """Take texts as UTF-8; no text, or an empty one, tells nothing."""
    rows = [list((text or "").encode()) for text in texts]
    longest = max(map(len, rows))
    padded = [row + [0] * (longest - len(row)) for row in rows]
    ids_BP = torch.tensor(padded, dtype=torch.int64).reshape(len(rows), longest)
    return Condition(
        ids=ids_BP.to(device, non_blocking=True)[:, :, None],
        lengths=torch.tensor(list(map(len, rows))).to(device, non_blocking=True),
    )


class Prefix(nn.Module):
    """Puts what a model is told before what it reads."""

    def __init__(self, *, codebooks: int, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.table = nn.Embedding(codebooks * size, width)
        init_weights(self.table, 1)

    def forward(
        self, condition: Condition, dropped_B: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the prefix, [B, P, D], and where in it each row starts, [B].

        Args:
            condition: what rows are told.
            dropped_B: rows that are told nothing after all, bool.

        """
        positions = condition.ids.shape[1]
        starts_B = positions - condition.lengths
        # Rows are turned until what is padded comes first.
        places = torch.arange(positions, device=starts_B.device) - starts_B[:, None]
        ids_BPC = condition.ids.gather(1, places.clamp(min=0)[:, :, None].expand_as(condition.ids))
        if dropped_B is not None:
            starts_B = torch.where(dropped_B, positions, starts_B)
        return self.table(offset(ids_BPC, self.size)).sum(2), starts_B
