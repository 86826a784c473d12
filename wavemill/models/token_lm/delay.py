"""`layout=delay`: a frame a position, codebook q being q frames late (MusicGen).

https://arxiv.org/abs/2306.05284. A codebook of a frame is guessed without those of the same
position, which are of other frames.

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
    is_real,
    make_heads,
    one_late,
)
from wavemill.models.token_lm.layouts import delay
from wavemill.models.token_lm.sampling import Sampler
from wavemill.tokenizers.base import TokenizerFacts


class Delay(Layout):
    """The layout."""

    def __init__(
        self, config: TokenLmConfig, stream: TokenizerFacts, condition: Vocabulary | None = None
    ) -> None:
        super().__init__(config, stream, condition)
        self.heads = make_heads(self, config.width, self.num_codebooks)

    def forward(
        self, codes_BTQ: Tensor, lengths_B: Tensor, condition: Condition | None = None
    ) -> Guesses:
        """Guess each id from those whose frame and codebook add up to less."""
        frames = codes_BTQ.shape[1]
        # Codebooks are done one after the other: what is padded must not show in those before it.
        padded_BT1 = ~is_real(codes_BTQ, lengths_B)[:, :, None]
        ids_BSQ = one_late(
            delay(codes_BTQ.masked_fill(padded_BT1, self.empty), self.empty), self.empty
        )
        hidden_BSD = self.read(self.embed_frames(ids_BSQ), condition)
        return Guesses(
            [head(hidden_BSD[:, book : book + frames]) for book, head in enumerate(self.heads)],
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
        """Draw an id of each codebook a position."""
        rows, known, books = prompt_BTQ.shape
        positions = frames + books - 1
        codes_BTQ = prompt_BTQ.new_full((rows, frames, books), self.empty)
        codes_BTQ[:, :known] = prompt_BTQ
        cache = self.begin(positions, condition)
        # The ids before position `known` are all of the prompt.
        next_BSQ = one_late(delay(codes_BTQ, self.empty), self.empty)[:, : known + 1]
        for position in range(known, positions):
            hidden_BD = self.decoder(self.embed_frames(next_BSQ), cache=cache)[:, -1]
            next_BSQ = prompt_BTQ.new_full((rows, 1, books), self.empty)
            for book, head in enumerate(self.heads):
                frame = position - book
                if known <= frame < frames:
                    codes_BTQ[:, frame, book] = sampler.draw(head(hidden_BD))
                if 0 <= frame < frames:
                    next_BSQ[:, 0, book] = codes_BTQ[:, frame, book]
        return codes_BTQ
