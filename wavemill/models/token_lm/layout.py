"""What all layouts of `token-lm` share: tables, the condition, and the transformer over positions.

Shapes end names: B batch, T frames, Q codebooks, S positions, D features, K ids of a codebook.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.token_lm.condition import Condition, Prefix
from wavemill.models.token_lm.config import TokenLmConfig
from wavemill.models.token_lm.sampling import Sampler
from wavemill.models.transformer import Cache, Decoder, init_weights
from wavemill.tokenizers.base import TokenizerFacts

IGNORED = -100
"""The target of a position that does not count."""


class Guesses(NamedTuple):
    """What a model says of the ids of a batch."""

    logits: list[Tensor]
    """[B, T, K] each: of every codebook, or of the one that each row is asked for."""
    targets: list[Tensor]
    """[B, T] each, int64: the ids that were to be guessed, `IGNORED` where none was."""


class Vocabulary(NamedTuple):
    """Of a condition."""

    codebooks: int
    size: int


class Layout(nn.Module, ABC):
    """A language model over the ids of several codebooks."""

    def __init__(
        self, config: TokenLmConfig, stream: TokenizerFacts, condition: Vocabulary | None
    ) -> None:
        super().__init__()
        self.num_codebooks, self.codebook_size = stream.num_codebooks, stream.codebook_size
        self.condition_drop, self.layers = config.condition_drop, config.layers
        # Each codebook has an id more, of a place where it holds nothing.
        self.empty = self.codebook_size
        self.table = nn.Embedding(self.num_codebooks * (self.codebook_size + 1), config.width)
        self.decoder = Decoder(
            layers=config.layers, width=config.width, heads=config.heads, dropout=config.dropout
        )
        init_weights(self.table, config.layers)
        self.prefix = (
            Prefix(codebooks=condition.codebooks, size=condition.size, width=config.width)
            if condition
            else None
        )

    @abstractmethod
    def forward(
        self, codes_BTQ: Tensor, lengths_B: Tensor, condition: Condition | None = None
    ) -> Guesses:
        """Guess the ids of a batch from those that the layout lets it see.

        Args:
            codes_BTQ: ids, int64; what is padded may be any id.
            lengths_B: how many of T are real.
            condition: what rows are told, if the model was made for it.

        """

    @abstractmethod
    def generate(
        self,
        frames: int,
        sampler: Sampler,
        prompt_BTQ: Tensor,
        condition: Condition | None = None,
    ) -> Tensor:
        """Draw ids, [B, frames, Q] int64; without gradients.

        Args:
            frames: of each row, with those of the prompt; more than the prompt has.
            sampler: draws an id by its logits.
            prompt_BTQ: how each row begins; T may be 0.
            condition: what rows are told, if the model was made for it.

        """

    def embed(self, ids: Tensor, book: int) -> Tensor:
        """Return the vectors of a codebook's ids, [..., D]."""
        return self.table(ids + book * (self.codebook_size + 1))  # type: ignore[no-any-return]

    def embed_frames(self, ids_BSQ: Tensor) -> Tensor:
        """Add up the vectors of the ids of a position, [B, S, D]."""
        x_BSD = self.embed(ids_BSQ[:, :, 0], 0)
        for book in range(1, self.num_codebooks):
            x_BSD = x_BSD + self.embed(ids_BSQ[:, :, book], book)
        return x_BSD

    def read(self, x_BSD: Tensor, condition: Condition | None) -> Tensor:
        """Return the features of positions after what the rows are told, [B, S, D]."""
        if self.prefix is None or condition is None:
            return self.decoder(x_BSD)  # type: ignore[no-any-return]
        prefix_BPD, starts_B = self.prefix(condition, self.draw_dropped(x_BSD))
        hidden_BSD = self.decoder(torch.cat([prefix_BPD, x_BSD], 1), starts_B=starts_B)
        return hidden_BSD[:, prefix_BPD.shape[1] :]  # type: ignore[no-any-return]

    def begin(self, most: int, condition: Condition | None) -> Cache:
        """Read what rows are told, and make room for `most` positions after it."""
        if self.prefix is None or condition is None or not condition.ids.shape[1]:
            return Cache(most)
        prefix_BPD, starts_B = self.prefix(condition)
        cache = Cache(prefix_BPD.shape[1] + most, starts_B)
        self.decoder(prefix_BPD, cache=cache)
        return cache

    def draw_dropped(self, rows: Tensor) -> Tensor | None:
        """Draw which rows are told nothing, [B] bool; none of them outside training."""
        if not self.training or not self.condition_drop:
            return None
        return torch.rand(len(rows), device=rows.device) < self.condition_drop


def is_real(codes_BTQ: Tensor, lengths_B: Tensor) -> Tensor:
    """Return which frames are real, [B, T] bool."""
    return torch.arange(codes_BTQ.shape[1], device=codes_BTQ.device) < lengths_B[:, None]


def all_ids(codes_BTQ: Tensor, lengths_B: Tensor) -> list[Tensor]:
    """Return the targets of a model that guesses every real id."""
    padded_BT1 = ~is_real(codes_BTQ, lengths_B)[:, :, None]
    return list(codes_BTQ.masked_fill(padded_BT1, IGNORED).unbind(2))


def one_late(ids: Tensor, first: int) -> Tensor:
    """Move positions one later, [B, S, ...]: `first` comes in, and the last goes."""
    late = (0, 0) * (ids.dim() - 2) + (1, 0)
    return functional.pad(ids[:, :-1], late, value=first)


def make_heads(layout: Layout, width: int, books: int) -> nn.ModuleList:
    """Make a linear head for each of some codebooks."""
    heads = nn.ModuleList(nn.Linear(width, layout.codebook_size, bias=False) for _ in range(books))
    init_weights(heads, layout.layers)
    return heads
