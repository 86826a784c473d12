"""Residual codebooks: the search, without what trains them.

Zeghidour et al., "SoundStream", arXiv 2107.03312; merging as in Han et al., "VALL-E R", arXiv
2406.07855: before the first codebook alone, frames are averaged by twos and repeated.

    B batch, T frames, D features, Q codebooks, K ids of a codebook
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Step(NamedTuple):
    """What one codebook does."""

    heard: Tensor
    """What it quantizes, [B, T, D]: the residual, merged frames alike."""
    ids: Tensor
    """Of the nearest entries, [B, T]."""
    entries: Tensor
    """The nearest entries, [B, T, D]."""


class ResidualCodebooks(nn.Module):
    """Entries, which have no gradients."""

    entries: Tensor
    """[Q, K, D], float32."""

    def __init__(self, dim: int, codebooks: int, size: int, merge: int = 1) -> None:
        """Draw entries."""
        super().__init__()
        self.merge = merge
        self.register_buffer("entries", torch.randn(codebooks, size, dim))

    def steps(self, latents_BTD: Tensor, real_BT: Tensor | None = None) -> Iterator[Step]:
        """Quantize codebook by codebook.

        Args:
            latents_BTD: float32.
            real_BT: which frames are no padding; all if None. Those that merge with padding, too,
                are heard without it.

        """
        residual_BTD = latents_BTD
        for book in range(len(self.entries)):
            heard_BTD = merged(residual_BTD, self.merge, real_BT) if not book else residual_BTD
            ids_BT = self.nearest(heard_BTD, book)
            entries_BTD = functional.embedding(ids_BT, self.entries[book])
            yield Step(heard_BTD, ids_BT, entries_BTD)
            residual_BTD = residual_BTD - entries_BTD

    def nearest(self, x_BTD: Tensor, book: int) -> Tensor:
        """Return the ids of the nearest entries of a codebook, [B, T] int64."""
        entries_KD = self.entries[book]
        # |e|^2 / 2 - e.x is least where |e - x|^2 is.
        half_norms_K = entries_KD.square().sum(-1) / 2
        return (half_norms_K - x_BTD @ entries_KD.T).argmin(-1)

    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Add up the entries of ids, [B, T, D]; Q may be fewer than there are codebooks."""
        return torch.stack(
            [
                functional.embedding(ids_BT, entries_KD)
                for ids_BT, entries_KD in zip(ids_BTQ.unbind(-1), self.entries, strict=False)
            ]
        ).sum(0)


def merged(x_BTD: Tensor, merge: int, real_BT: Tensor | None = None) -> Tensor:
    """Average each `merge` frames and repeat the mean; those that are padding do not count."""
    if merge == 1:
        return x_BTD
    frames, missing = x_BTD.shape[1], -x_BTD.shape[1] % merge
    counts_BT = x_BTD.new_ones(x_BTD.shape[:2]) if real_BT is None else real_BT.to(x_BTD.dtype)
    sums = functional.pad(x_BTD * counts_BT[..., None], (0, 0, 0, missing))
    counts = functional.pad(counts_BT, (0, missing))
    sums, counts = sums.unflatten(1, (-1, merge)).sum(2), counts.unflatten(1, (-1, merge)).sum(2)
    means = sums / counts.clamp(min=1)[..., None]
    repeated: Tensor = means.repeat_interleave(merge, dim=1)
    return repeated[:, :frames]
