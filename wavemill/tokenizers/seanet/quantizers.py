"""Quantizers: from latents to ids and back, interchangeable.

B batch, T frames, D features, Q codebooks, K ids of a codebook
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from wavemill.tokenizers.finite_scalar import GroupedResidualFiniteScalar, round_to_levels
from wavemill.tokenizers.seanet.residual import ResidualCodebooks
from wavemill.tokenizers.seanet.sizes import CodecSizes, numbers

SCALE = 9
"""SQ-Codec's: 19 levels from -1 to 1 (SimpleSpeech 2, arXiv 2408.13893)."""


class Quantizer(nn.Module, ABC):
    """Frames to ids and back, each frame by itself; residual codebooks may merge some."""

    num_codebooks: int
    codebook_size: int

    @abstractmethod
    def encode(self, latents_BTD: Tensor) -> Tensor:
        """Return ids [B, T, Q], int64."""

    @abstractmethod
    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Return the latents [B, T, D] that ids stand for."""


class ScalarQuantizer(Quantizer):
    """One number a codebook: round(9 tanh(x)) / 9. The gradient passes through the rounding."""

    def __init__(self, dim: int, codebooks: int) -> None:
        """Draw first weights of the projections to the numbers and back."""
        super().__init__()
        self.num_codebooks, self.codebook_size = codebooks, 2 * SCALE + 1
        self.project_in = nn.Linear(dim, codebooks)
        self.project_out = nn.Linear(codebooks, dim)

    def forward(self, latents_BTD: Tensor) -> Tensor:
        """Return quantized latents."""
        numbers_BTQ = torch.tanh(self.project_in(latents_BTD))
        return self.project_out(round_to_levels(numbers_BTQ, SCALE))  # type: ignore[no-any-return]

    def encode(self, latents_BTD: Tensor) -> Tensor:
        """Count the levels from 0."""
        return (SCALE * torch.tanh(self.project_in(latents_BTD))).round().long() + SCALE

    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Project the levels of ids back."""
        decoded: Tensor = self.project_out((ids_BTQ - SCALE) / SCALE)
        return decoded


class GroupedQuantizer(Quantizer):
    """Groups of latents, each quantized to a product of levels: Fish-Speech's GFSQ."""

    def __init__(self, dim: int, levels: tuple[int, ...], groups: int) -> None:
        """Draw first weights of the projections."""
        super().__init__()
        self.groups = GroupedResidualFiniteScalar(dim, levels, groups=groups)
        self.num_codebooks = self.groups.num_codebooks
        self.codebook_size = self.groups.codebook_size

    def forward(self, latents_BTD: Tensor) -> Tensor:
        """Return quantized latents; the gradient passes through."""
        features: Tensor = self.groups(latents_BTD)[0]
        return features

    def encode(self, latents_BTD: Tensor) -> Tensor:
        """Return the groups' ids."""
        ids: Tensor = self.groups(latents_BTD)[1]
        return ids

    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Return the features of the groups' ids."""
        return self.groups.decode(ids_BTQ)


class ResidualQuantizer(Quantizer):
    """Codebooks one after the other, each of what those before it leave."""

    def __init__(self, dim: int, codebooks: int, size: int, merge: int) -> None:
        """Make codebooks, which training fills."""
        super().__init__()
        self.num_codebooks, self.codebook_size = codebooks, size
        self.books = ResidualCodebooks(dim, codebooks, size, merge)

    def encode(self, latents_BTD: Tensor) -> Tensor:
        """Return the nearest entries' ids."""
        return torch.stack([step.ids for step in self.books.steps(latents_BTD)], dim=-1)

    def decode(self, ids_BTQ: Tensor) -> Tensor:
        """Add up entries, of the first codebooks if there are ids of some only."""
        return self.books.decode(ids_BTQ)


def make_quantizer(sizes: CodecSizes) -> Quantizer:
    """Make the quantizer that sizes name."""
    if sizes.quantizer == "sq":
        return ScalarQuantizer(sizes.dim, sizes.codebooks)
    if sizes.quantizer == "gfsq":
        return GroupedQuantizer(sizes.dim, numbers(sizes.levels, "levels"), sizes.codebooks)
    return ResidualQuantizer(sizes.dim, sizes.codebooks, sizes.codebook_size, sizes.merge)
