"""`layout=hierarchical`: a backbone over frames, and a small model over the codebooks of each.

QTTS calls it hierarchical parallel: in training the small model does all frames at once.

Shapes end names: B batch, T frames, Q codebooks, D features.
"""

import torch
from torch import Tensor

from wavemill.models.token_lm.condition import Condition
from wavemill.models.token_lm.config import TokenLmConfig
from wavemill.models.token_lm.depth import Depth
from wavemill.models.token_lm.layout import Guesses, Layout, Vocabulary, all_ids, one_late
from wavemill.models.token_lm.sampling import Sampler
from wavemill.tokenizers.base import TokenizerFacts


class Hierarchical(Layout):
    """The layout."""

    def __init__(
        self, config: TokenLmConfig, stream: TokenizerFacts, condition: Vocabulary | None = None
    ) -> None:
        super().__init__(config, stream, condition)
        self.depth = Depth(config, self, 0)

    def forward(
        self, codes_BTQ: Tensor, lengths_B: Tensor, condition: Condition | None = None
    ) -> Guesses:
        """Guess each id from the frames before it and the codebooks before it in its own."""
        x_BTD = self.embed_frames(one_late(codes_BTQ, self.empty))
        logits = self.depth(self.read(x_BTD, condition), codes_BTQ)
        return Guesses(logits, all_ids(codes_BTQ, lengths_B))

    @torch.no_grad()
    def generate(
        self,
        frames: int,
        sampler: Sampler,
        prompt_BTQ: Tensor,
        condition: Condition | None = None,
    ) -> Tensor:
        """Draw a frame a position, and its codebooks one after the other."""
        rows, _, books = prompt_BTQ.shape
        cache = self.begin(frames, condition)
        first_B1Q = prompt_BTQ.new_full((rows, 1, books), self.empty)
        next_BTQ, found = torch.cat([first_B1Q, prompt_BTQ], 1), list(prompt_BTQ.unbind(1))
        while len(found) < frames:
            hidden_BD = self.decoder(self.embed_frames(next_BTQ), cache=cache)[:, -1]
            found.append(self.depth.generate(hidden_BD, next_BTQ[:, 0, :0], sampler))
            next_BTQ = found[-1][:, None]
        return torch.stack(found, 1)
