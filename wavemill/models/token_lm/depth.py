"""A small causal transformer over the codebooks of a frame, given what a large one says of it.

Shapes end names: B batch, T frames, Q codebooks, N frames of all rows, D and I features outside and
inside.
"""

import torch
from torch import Tensor, nn

from wavemill.models.token_lm.config import TokenLmConfig
from wavemill.models.token_lm.layout import Layout, make_heads
from wavemill.models.token_lm.layouts import join_frames, offset, split_frames
from wavemill.models.token_lm.sampling import Sampler
from wavemill.models.transformer import Cache, Decoder, init_weights


class Depth(nn.Module):
    """Guesses the codebooks of a frame one after the other, from codebook `first` on."""

    def __init__(self, config: TokenLmConfig, layout: Layout, first: int) -> None:
        super().__init__()
        width = config.inner_width or config.width
        self.first, self.size, self.books = first, layout.codebook_size, layout.num_codebooks
        self.enter = nn.Linear(config.width, width, bias=False)
        # The last codebook's ids are guessed, and nothing after them.
        self.table = nn.Embedding(max(self.books - 1, 1) * self.size, width)
        self.decoder = Decoder(
            layers=config.inner_layers, width=width, heads=config.heads, dropout=config.dropout
        )
        self.heads = make_heads(layout, width, self.books - first)
        for part in (self.enter, self.table):
            init_weights(part, config.inner_layers)

    def forward(self, hidden_BTD: Tensor, codes_BTQ: Tensor) -> list[Tensor]:
        """Return logits of each codebook from the first one on, [B, T, K] each."""
        ids_BTQ = offset(codes_BTQ[:, :, :-1], self.size)
        x_BTQI = torch.cat([self.enter(hidden_BTD)[:, :, None], self.table(ids_BTQ)], 2)
        inner_NQI = self.decoder(split_frames(x_BTQI))
        inner = join_frames(inner_NQI, codes_BTQ.shape[1]).unbind(2)[self.first :]
        return [head(part) for head, part in zip(self.heads, inner, strict=True)]

    def generate(self, hidden_BD: Tensor, known_BQ: Tensor, sampler: Sampler) -> Tensor:
        """Draw the ids of a frame, [B, Q], given those of the codebooks before the first."""
        cache, ids = Cache(self.books), list(known_BQ.unbind(1))
        x_BQI = torch.cat(
            [self.enter(hidden_BD)[:, None], self.table(offset(known_BQ, self.size))], 1
        )
        while True:
            inner_BI = self.decoder(x_BQI, cache=cache)[:, -1]
            book = len(ids)
            ids.append(sampler.draw(self.heads[book - self.first](inner_BI)))
            if len(ids) == self.books:
                return torch.stack(ids, 1)
            x_BQI = self.table(ids[-1] + book * self.size)[:, None]
