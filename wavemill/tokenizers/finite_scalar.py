"""Finite scalar quantizers: values rounded to a few levels, with no codebook to learn.

Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", arXiv 2309.15505; residual and
grouped as in the package `vector-quantize-pytorch` 1.14.24, which Fish-Speech 1.4 is trained with.
(Its later versions bound, centre and scale otherwise: other ids for the same features.) Gradients
pass straight through the rounding.

    B batch, T time, D features, L numbers a code, R quantizers in a row, Q streams
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


def round_through(x: Tensor) -> Tensor:
    """Round; the gradient is that of x."""
    # Not x + (round(x) - x): the value is the rounded one to the last bit.
    return x.round().detach() + (x - x.detach())


def round_to_levels(x: Tensor, scale: int) -> Tensor:
    """Round values in [-1, 1] to multiples of 1 / scale: 2 * scale + 1 levels. Idempotent."""
    return round_through(scale * x) / scale


class FiniteScalar(nn.Module):
    """Each of L numbers to one of its own levels; a code's id counts them in mixed radix."""

    levels: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        """Set the levels up; there are no weights."""
        super().__init__()
        basis = [math.prod(levels[:place]) for place in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("basis", torch.tensor(basis), persistent=False)

    @property
    def size(self) -> int:
        """How many codes there are."""
        return int(self.levels.prod())

    @property
    def _half_width(self) -> Tensor:
        return self.levels // 2

    def bound(self, z: Tensor) -> Tensor:
        """Squash [..., L] so that rounding gives as many integers as there are levels."""
        half = (self.levels - 1) * (1 + 1e-3) / 2
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        shift = (offset / half).atanh()
        return (z + shift).tanh() * half - offset

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize [..., L].

        Returns:
            Codes in [-1, 1], [..., L], and ids, [...] int64.

        """
        whole = round_through(self.bound(z))
        places = whole.detach().long() + self._half_width
        return whole / self._half_width, (places * self.basis).sum(dim=-1)

    def decode(self, ids: Tensor) -> Tensor:
        """Give the codes [..., L] of ids [...]."""
        places = ids[..., None] // self.basis % self.levels
        return (places - self._half_width) / self._half_width


class ResidualFiniteScalar(nn.Module):
    """R quantizers in a row, each of a finer scale than the one before, between two projections."""

    scales: Tensor

    def __init__(self, dim: int, levels: Sequence[int], num_quantizers: int) -> None:
        """Set it up for features of size `dim`."""
        super().__init__()
        projects = dim != len(levels)
        self.project_in = nn.Linear(dim, len(levels)) if projects else nn.Identity()
        self.project_out = nn.Linear(len(levels), dim) if projects else nn.Identity()
        self.quantizer = FiniteScalar(levels)
        widths = torch.tensor(levels) - 1.0
        scales = torch.stack([widths**-place for place in range(num_quantizers)])
        self.register_buffer("scales", scales, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize [B, T, D]: features [B, T, D] and ids [B, T, R]."""
        # Bounded here and again in the quantizer: so the published weights were trained.
        residual = self.quantizer.bound(self.project_in(x))
        total = torch.zeros_like(residual)
        ids = []
        for scale in self.scales:
            codes, some = self.quantizer(residual / scale)
            residual = residual - codes.detach() * scale
            total = total + codes * scale
            ids.append(some)
        return self.project_out(total), torch.stack(ids, dim=-1)

    def decode(self, ids: Tensor) -> Tensor:
        """Give the features [B, T, D] of ids [B, T, R]."""
        features: Tensor = self.project_out((self.quantizer.decode(ids) * self.scales).sum(dim=-2))
        return features


class GroupedResidualFiniteScalar(nn.Module):
    """Features cut into groups of equal size, each with quantizers of its own."""

    def __init__(
        self, dim: int, levels: Sequence[int], num_quantizers: int = 1, groups: int = 1
    ) -> None:
        """Set it up for features of size `dim`, which the groups must divide."""
        super().__init__()
        self.rvqs = nn.ModuleList(
            ResidualFiniteScalar(dim // groups, levels, num_quantizers) for _ in range(groups)
        )
        self.codebook_size = math.prod(levels)
        self.num_codebooks = groups * num_quantizers

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize [B, T, D]: features [B, T, D] and ids [B, T, Q], a group's streams together."""
        parts = x.chunk(len(self.rvqs), dim=-1)
        pairs = [rvq(part) for rvq, part in zip(self.rvqs, parts, strict=True)]
        features, ids = zip(*pairs, strict=True)
        return torch.cat(features, dim=-1), torch.cat(ids, dim=-1)

    def decode(self, ids: Tensor) -> Tensor:
        """Give the features [B, T, D] of ids [B, T, Q]."""
        parts = ids.chunk(len(self.rvqs), dim=-1)
        pairs = zip(self._quantizers(), parts, strict=True)
        return torch.cat([rvq.decode(part) for rvq, part in pairs], dim=-1)

    def _quantizers(self) -> Iterator[ResidualFiniteScalar]:
        for rvq in self.rvqs:
            assert isinstance(rvq, ResidualFiniteScalar)
            yield rvq
