"""Direct-sum quantization: a vector is the sum of one centre out of each of N codebooks.

The method is that of MVQ (Guo et al., "Predicting Multi-Codebook Vector Quantization Indexes for
Knowledge Distillation", arXiv 2211.00508), and so is the layout of the files: a state dict of the
published `multi_quantization` package loads, and gives the same ids.

Shapes: B frames, N codebooks, K entries each, D dimensions.
"""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.refinement import Tables, refine

_SCALE_SPEED = 10.0  # the layout's scales are logarithms divided by this
_CHUNK_SCORES = 1 << 17  # of [B, N K]: a megabyte, so that they stay in cache


LAYOUT = (
    "centers",
    "centers_scale",
    "id_buf",
    "logits_scale",
    "to_logits.bias",
    "to_logits.weight",
)
"""The published names of the tensors of a quantizer."""


class _Undrawn(nn.Linear):
    """A layer whose maker draws the weights; `skip_init` would load sympy, for a third second."""

    def reset_parameters(self) -> None:
        """Draw none."""


class DirectSumQuantizer(nn.Module):
    """N codebooks of K centres whose sum approximates a vector.

    The parameters bear the published names, so `state_dict` is the published layout. `id_buf` holds
    an id of eight hexadecimal digits as ASCII.
    """

    id_buf: Tensor

    def __init__(
        self, dim: int, num_codebooks: int, codebook_size: int, generator: torch.Generator
    ) -> None:
        """Start with random centres, uniform in +-1 / sqrt(D), as published.

        Raises:
            ValueError: `num_codebooks` or `codebook_size` is not a power of two.

        """
        super().__init__()
        for name, value in (("num_codebooks", num_codebooks), ("codebook_size", codebook_size)):
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} = {value}: the refinement takes powers of two")
        self.dim, self.num_codebooks, self.codebook_size = dim, num_codebooks, codebook_size
        rows = num_codebooks * codebook_size
        self.to_logits = _Undrawn(dim, rows)
        with torch.no_grad():
            self.to_logits.weight.uniform_(-(dim**-0.5), dim**-0.5, generator=generator)
            self.to_logits.bias.uniform_(-(dim**-0.5), dim**-0.5, generator=generator)
        start = self.to_logits.weight.detach().clone()
        self.centers = nn.Parameter(start.view(num_codebooks, codebook_size, dim))
        self.logits_scale = nn.Parameter(torch.zeros(()))
        self.centers_scale = nn.Parameter(torch.zeros(()))
        self.register_buffer("id_buf", torch.zeros(8, dtype=torch.uint8))
        self._cached: tuple[tuple[int, ...], tuple[Tensor, Tensor, Tables]] | None = None

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """Build a quantizer from a state dict in the published layout.

        Raises:
            ValueError: a tensor is missing or has the wrong shape.

        """
        if missing := [name for name in LAYOUT if name not in state]:
            raise ValueError(f"{', '.join(missing)} missing; a quantizer has {', '.join(LAYOUT)}")
        if state["centers"].ndim != 3:
            raise ValueError(f"centers must be [N, K, D]; got {tuple(state['centers'].shape)}")
        num_codebooks, size, dim = state["centers"].shape
        quantizer = cls(dim, num_codebooks, size, torch.Generator())
        for name, wanted in quantizer.state_dict().items():
            if state[name].shape != wanted.shape:
                raise ValueError(
                    f"{name} must be {list(wanted.shape)} beside centers"
                    f" {[num_codebooks, size, dim]}; got {list(state[name].shape)}"
                )
        quantizer.load_state_dict({name: state[name] for name in LAYOUT})
        return quantizer

    @property
    def id(self) -> str:
        """The id in the file, which tells quantizers apart."""
        return bytes(self.id_buf.tolist()).decode("ascii", "replace")

    def stamp(self) -> None:
        """Set the id to a digest of the weights; the same fit gives the same id."""
        weights = {name: part for name, part in self.state_dict().items() if name != "id_buf"}
        self.id_buf.copy_(torch.tensor(list(digest_tensors(weights)[:8].encode())))

    def scaled_centers(self) -> Tensor:
        """Return what the ids stand for, [N, K, D] float32."""
        return (self.centers_scale * _SCALE_SPEED).exp() * self.centers

    def logits(self, x: Tensor) -> Tensor:
        """Predict the ids of frames [B, D]: [B, N, K] float32."""
        scaled = (self.logits_scale * _SCALE_SPEED).exp() * x
        logits: Tensor = self.to_logits(scaled)
        return logits.view(-1, self.num_codebooks, self.codebook_size)

    @torch.no_grad()
    def encode(self, x: Tensor, refinements: int = 5) -> Tensor:
        """Quantize frames.

        All sums are of doubles: then it is not rounding that decides between entries that fit
        nearly equally well, and the ids are the same with any number of threads or frames.

        Args:
            x: [B, D] float32.
            refinements: passes over the first guess; 5 is the published setting.

        Returns:
            ids [B, N], uint8 (int64 where K > 256).

        """
        weight, bias, tables = self._search_tables()
        chunk = max(16, _CHUNK_SCORES // len(bias))
        dtype = torch.uint8 if self.codebook_size <= 256 else torch.int64
        ids = torch.empty((len(x), self.num_codebooks), dtype=dtype, device=x.device)
        for start in range(0, len(x), chunk):
            part = x[start : start + chunk].double()
            logits = torch.addmm(bias, part, weight.T)
            first = logits.view(-1, self.num_codebooks, self.codebook_size).argmax(dim=2)
            ids[start : start + chunk] = refine(tables, part, first, refinements)
        return ids

    def decode(self, ids: Tensor) -> Tensor:
        """Add up the centres of ids [B, N] of any integer type: [B, D] float32, differentiable."""
        firsts = torch.arange(self.num_codebooks, device=ids.device) * self.codebook_size
        centers = self.scaled_centers().view(-1, self.dim)
        return functional.embedding_bag(ids + firsts, centers, mode="sum")

    def _search_tables(self) -> tuple[Tensor, Tensor, Tables]:
        """Compute weights and tables in doubles, anew where a parameter changed since last time."""
        version = tuple(
            number
            for part in self.parameters()
            for number in (part.data_ptr(), part._version)  # noqa: SLF001 - autograd's own count
        )
        if self._cached is None or self._cached[0] != version:
            scale = (self.logits_scale.double() * _SCALE_SPEED).exp()
            weight, bias = self.to_logits.weight.double() * scale, self.to_logits.bias.double()
            self._cached = (version, (weight, bias, Tables.of(self.scaled_centers().double())))
        return self._cached[1]
