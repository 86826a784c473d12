"""`layout=flat`: one id a position, each guessed from all before it; Q times as long as frames.

Shapes end names: B batch, T frames, Q codebooks, S positions, D features.
"""

import torch
from torch import Tensor

from wavemill.models.token_lm.condition import Condition
from wavemill.models.token_lm.config import TokenLmConfig
from wavemill.models.token_lm.layout import (
    Guesses,
    Layout,
    Vocabulary,
    all_ids,
    make_heads,
    one_late,
)
from wavemill.models.token_lm.layouts import flatten, offset, unflatten
from wavemill.models.token_lm.sampling import Sampler
from wavemill.tokenizers.base import TokenizerFacts


class Flat(Layout):
    """The layout."""

    def __init__(
        self, config: TokenLmConfig, stream: TokenizerFacts, condition: Vocabulary | None = None
    ) -> None:
        super().__init__(config, stream, condition)
        self.heads = make_heads(self, config.width, self.num_codebooks)

    def forward(
        self, codes_BTQ: Tensor, lengths_B: Tensor, condition: Condition | None = None
    ) -> Guesses:
        """Guess each id from those before it, frame by frame and codebook by codebook."""
        ids_BS = one_late(flatten(offset(codes_BTQ, self.codebook_size + 1)), self.empty)
        hidden_BSD = self.read(self.table(ids_BS), condition)
        hidden = unflatten(hidden_BSD, self.num_codebooks).unbind(2)
        return Guesses(
            [head(part) for head, part in zip(self.heads, hidden, strict=True)],
            all_ids(codes_BTQ, lengths_B),
        )

    @torch.no_grad()
    def generate(
        self,
        frames: int,
        sampler: Sampler,
        prompt_BTQ: Tensor,
        condition: Condition | None = None,
    ) -> Tensor:
        """Draw an id a position."""
        known_BS = flatten(offset(prompt_BTQ, self.codebook_size + 1))
        first_B1 = known_BS.new_full((len(known_BS), 1), self.empty)
        cache = self.begin(frames * self.num_codebooks, condition)
        next_BS, ids = torch.cat([first_B1, known_BS], 1), list(flatten(prompt_BTQ).unbind(1))
        while len(ids) < frames * self.num_codebooks:
            hidden_BD = self.decoder(self.table(next_BS), cache=cache)[:, -1]
            book = len(ids) % self.num_codebooks
            ids.append(sampler.draw(self.heads[book](hidden_BD)))
            next_BS = ids[-1][:, None] + book * (self.codebook_size + 1)
        return unflatten(torch.stack(ids, 1), self.num_codebooks)
