"""`layout=dual-ar`: a slow transformer guesses the first codebook, a fast one the others.

As Fish-Speech does it (https://arxiv.org/abs/2411.01156): what the slow one reads of a frame is
the embedding of its semantic id, which is that of codebook 0, plus one of each codebook's id; the
fast one goes on from the slow one's features and the semantic id. The fast one's own guess of
codebook 0, which Fish-Speech trains beside it and does not draw from, is left out.

Shapes end names: B batch, T frames, Q codebooks, D features.
"""

import torch
from torch import Tensor, nn

from wavemill.models.token_lm.condition import Condition
from wavemill.models.token_lm.config import TokenLmConfig
from wavemill.models.token_lm.depth import Depth
from wavemill.models.token_lm.layout import (
    Guesses,
    Layout,
    Vocabulary,
    all_ids,
    make_heads,
    one_late,
)
from wavemill.models.token_lm.sampling import Sampler
from wavemill.models.transformer import init_weights
from wavemill.tokenizers.base import TokenizerFacts


class DualAr(Layout):
    """The layout."""

    def __init__(
        self, config: TokenLmConfig, stream: TokenizerFacts, condition: Vocabulary | None = None
    ) -> None:
        super().__init__(config, stream, condition)
        self.semantic = nn.Embedding(self.codebook_size + 1, config.width)
        init_weights(self.semantic, config.layers)
        self.heads = make_heads(self, config.width, 1)
        self.depth = Depth(config, self, 1)

    def forward(
        self, codes_BTQ: Tensor, lengths_B: Tensor, condition: Condition | None = None
    ) -> Guesses:
        """Guess each id from the frames before it and the codebooks before it in its own."""
        hidden_BTD = self.read(self._embed(one_late(codes_BTQ, self.empty)), condition)
        semantic = self.heads[0](hidden_BTD)
        return Guesses(
            [semantic, *self.depth(hidden_BTD, codes_BTQ)], all_ids(codes_BTQ, lengths_B)
        )

    @torch.no_grad()
    def generate(
        self,
        frames: int,
        sampler: Sampler,
        prompt_BTQ: Tensor,
        condition: Condition | None = None,
    ) -> Tensor:
        """Draw a semantic id a position, and the other codebooks one after the other."""
        rows, _, books = prompt_BTQ.shape
        cache = self.begin(frames, condition)
        first_B1Q = prompt_BTQ.new_full((rows, 1, books), self.empty)
        next_BTQ, found = torch.cat([first_B1Q, prompt_BTQ], 1), list(prompt_BTQ.unbind(1))
        while len(found) < frames:
            hidden_BD = self.decoder(self._embed(next_BTQ), cache=cache)[:, -1]
            semantic_B = sampler.draw(self.heads[0](hidden_BD))
            found.append(self.depth.generate(hidden_BD, semantic_B[:, None], sampler))
            next_BTQ = found[-1][:, None]
        return torch.stack(found, 1)

    def _embed(self, ids_BTQ: Tensor) -> Tensor:
        # Where there is no frame yet, only the semantic table speaks.
        x_BTD = self.embed_frames(ids_BTQ)
        is_frame_BT1 = (ids_BTQ[:, :, :1] != self.empty).to(x_BTD.dtype)
        return self.semantic(ids_BTQ[:, :, 0]) + x_BTD * is_frame_BT1  # type: ignore[no-any-return]
