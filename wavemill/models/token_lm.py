"""`token-lm`: a causal language model over the codebooks of one token stream.

One embedding a codebook, added up where a position holds several ids; a causal transformer; one
linear head a codebook. The size of the preset `paper` is that of MusicGen's smallest model
(https://arxiv.org/abs/2306.05284), whose positions are sinusoids where these are rotary.

Shapes end names: B batch, T frames, Q codebooks, S positions, D features, K ids of a codebook.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.layouts import delay, flatten, unflatten
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.models.transformer import Decoder, init_weights
from wavemill.tokenizers.base import TokenizerFacts

LAYOUTS = ("delay", "flat")
IGNORED = -100
"""The target of a position that does not count."""


@dataclass(frozen=True, kw_only=True)
class TokenLmConfig:
    """Settings of `token-lm`."""

    stream: str = ""
    """Whose ids are modelled; the dataset's first if left out."""
    layout: str = "delay"
    """`flat`: one id a position, exact and long; `delay`: a frame a position."""
    layers: int = 4
    width: int = 256
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout={self.layout} must be {' or '.join(LAYOUTS)}")
        if not (1 <= self.layers <= 1000 and 1 <= self.heads <= 1000):
            raise ValueError("layers and heads must be 1 to 1000")
        if not 1 <= self.width <= 100_000 or self.width % (2 * self.heads):
            raise ValueError(
                f"width={self.width} must be 2 to 100000 and a multiple of twice heads={self.heads}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} must be 0 or more and below 1")


class TokenLm(Recipe):
    """The recipe."""

    about: ClassVar = "causal language model over a token stream's codebooks"
    presets: ClassVar[Mapping[str, TokenLmConfig]] = {
        "small": TokenLmConfig(),
        "paper": TokenLmConfig(layers=24, width=1024, heads=16),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(steps=600, batch_tokens=4000, learning_rate=1e-3, warmup=50),
        "paper": TrainSettings(
            steps=1_000_000,
            batch_tokens=50_000,
            learning_rate=1e-4,
            warmup=4000,
            precision="bfloat16",
            compile=True,
        ),
    }

    def __init__(self, config: TokenLmConfig, data: DataFacts) -> None:
        """Find the stream.

        Raises:
            UsageError: the dataset has no such stream, or none at all.

        """
        name = config.stream or next(iter(data.streams), "")
        if name not in data.streams:
            asked = f"no stream {name!r}" if name else "no token stream"
            there = ", ".join(sorted(data.streams)) or "none"
            raise UsageError(
                f"token-lm: the dataset has {asked}; there are: {there}; give --set stream=NAME, or"
                " prepare it with --tokenizer"
            )
        self.config, self.stream = config, data.streams[name]
        self.needs = Needs(streams=(name,))

    def build(self) -> nn.Module:
        """Make the model."""
        return TokenLmModel(self.config, self.stream)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the cross-entropy in nats over the real ids of all codebooks."""
        (name,) = self.needs.streams
        codes_BTQ, lengths_B = batch.tokens[name], batch.token_lengths[name]
        real_BT = torch.arange(codes_BTQ.shape[1], device=codes_BTQ.device) < lengths_B[:, None]
        total = torch.zeros((), device=codes_BTQ.device)
        for book, logits_BTK in enumerate(model(codes_BTQ, lengths_B)):
            targets = codes_BTQ[:, :, book].masked_fill(~real_BT, IGNORED)
            total = total + functional.cross_entropy(
                logits_BTK.float().flatten(0, 1),
                targets.flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
        return Loss(total=total, count=real_BT.sum() * codes_BTQ.shape[2])


class TokenLmModel(nn.Module):
    """The model: from ids to logits for each of them, given those before it in the layout."""

    def __init__(self, config: TokenLmConfig, stream: TokenizerFacts) -> None:
        super().__init__()
        self.layout = config.layout
        self.num_codebooks, self.codebook_size = stream.num_codebooks, stream.codebook_size
        # Each codebook has an id more, of a place where it holds nothing.
        self.table = nn.Embedding(self.num_codebooks * (self.codebook_size + 1), config.width)
        self.decoder = Decoder(
            layers=config.layers, width=config.width, heads=config.heads, dropout=config.dropout
        )
        self.heads = nn.ModuleList(
            nn.Linear(config.width, self.codebook_size, bias=False)
            for _ in range(self.num_codebooks)
        )
        init_weights(self.table, config.layers)
        init_weights(self.heads, config.layers)

    def forward(self, codes_BTQ: Tensor, lengths_B: Tensor) -> list[Tensor]:
        """Return logits of each codebook, Q times [B, T, K]; those of padded frames mean nothing.

        Args:
            codes_BTQ: ids, int64.
            lengths_B: how many of T are real.

        """
        hidden = self._delayed if self.layout == "delay" else self._flat
        return [
            head(part) for head, part in zip(self.heads, hidden(codes_BTQ, lengths_B), strict=True)
        ]

    def _delayed(self, codes_BTQ: Tensor, lengths_B: Tensor) -> list[Tensor]:
        frames = codes_BTQ.shape[1]
        # Codebooks are done one after the other: what is padded must not show in those before it.
        padded_BT = torch.arange(frames, device=codes_BTQ.device) >= lengths_B[:, None]
        ids_BSQ = delay(
            codes_BTQ.masked_fill(padded_BT[:, :, None], self.codebook_size), self.codebook_size
        )
        ids_BSQ = functional.pad(ids_BSQ[:, :-1], (0, 0, 1, 0), value=self.codebook_size)
        x_BSD = self.embed(ids_BSQ[:, :, 0], 0)
        for book in range(1, self.num_codebooks):
            x_BSD = x_BSD + self.embed(ids_BSQ[:, :, book], book)
        hidden_BSD = self.decoder(x_BSD)
        return [hidden_BSD[:, book : book + frames] for book in range(self.num_codebooks)]

    def _flat(self, codes_BTQ: Tensor, _: Tensor) -> list[Tensor]:
        books = torch.arange(self.num_codebooks, device=codes_BTQ.device)
        ids_BS = flatten(codes_BTQ + books * (self.codebook_size + 1))
        ids_BS = functional.pad(ids_BS[:, :-1], (1, 0), value=self.codebook_size)
        hidden_BTQD = unflatten(self.decoder(self.table(ids_BS)), self.num_codebooks)
        return list(hidden_BTQD.unbind(2))

    def embed(self, ids: Tensor, book: int) -> Tensor:
        """Return the vectors of a codebook's ids, [..., D]."""
        return self.table(ids + book * (self.codebook_size + 1))  # type: ignore[no-any-return]
