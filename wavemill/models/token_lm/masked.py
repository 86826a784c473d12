"""`layout=masked`: holes in a codebook are guessed from what is around them, in both directions.

Each row of a batch is at a stage, a codebook: those before it are seen, those after it are not, and
a part of its own ids is hidden, which are the ones to be guessed. With `schedule=magnet`
(https://arxiv.org/abs/2401.04577) spans of 3 are hidden, cos(pi u / 2) of all, and stages after
the first see 5 frames to either side; with `schedule=maskgct` (https://arxiv.org/abs/2409.00750)
single ids, sin(pi t / 2) of those after a prompt. MAGNeT draws a stage a batch, here each row does.
MaskGCT's way to tell its model the time, and its two models, are not here.

Shapes end names: B batch, T frames, Q codebooks, S positions, D features, K ids of a codebook.
"""

import torch
from torch import Tensor, nn

from wavemill.models.token_lm.condition import Condition
from wavemill.models.token_lm.config import MAGNET, TokenLmConfig
from wavemill.models.token_lm.filling import fill_stage
from wavemill.models.token_lm.layout import IGNORED, Guesses, Layout, Vocabulary, is_real
from wavemill.models.token_lm.layouts import hide
from wavemill.models.token_lm.masks import (
    CONTEXT,
    SPAN,
    count_spans,
    draw_prompt,
    draw_singles,
    draw_spans,
    magnet_rate,
    maskgct_rate,
)
from wavemill.models.token_lm.sampling import Sampler
from wavemill.models.transformer import init_weights
from wavemill.tokenizers.base import TokenizerFacts


class Masked(Layout):
    """The layout."""

    def __init__(
        self, config: TokenLmConfig, stream: TokenizerFacts, condition: Vocabulary | None = None
    ) -> None:
        super().__init__(config, stream, condition)
        self.in_spans = config.schedule == MAGNET
        shape = (self.num_codebooks, self.codebook_size, config.width)
        self.heads_QKD = nn.Parameter(torch.empty(shape))
        init_weights(nn.ParameterList([self.heads_QKD]), config.layers)

    def forward(
        self, codes_BTQ: Tensor, lengths_B: Tensor, condition: Condition | None = None
    ) -> Guesses:
        """Draw a stage and holes for each row, and guess what is in them."""
        dropped_B = self.draw_dropped(codes_BTQ)
        stage_B = torch.randint(self.num_codebooks, lengths_B.shape, device=lengths_B.device)
        holes_BT, known_BT = self._draw_holes(codes_BTQ, lengths_B, dropped_B)
        ids_BTQ = hide(codes_BTQ, stage_B, holes_BT, known_BT, self.empty)
        logits_BTK = self.guess(ids_BTQ, stage_B, lengths_B, condition, dropped_B)
        own_BT = codes_BTQ.gather(2, stage_B[:, None, None].expand(-1, codes_BTQ.shape[1], 1))
        return Guesses([logits_BTK], [own_BT[:, :, 0].masked_fill(~holes_BT, IGNORED)])

    def guess(
        self,
        ids_BTQ: Tensor,
        stage_B: Tensor,
        lengths_B: Tensor,
        condition: Condition | None = None,
        dropped_B: Tensor | None = None,
    ) -> Tensor:
        """Return logits of the ids of each row's stage, [B, T, K].

        Args:
            ids_BTQ: what is seen, `empty` where something is hidden.
            stage_B: the codebook that is guessed.
            lengths_B: how many of T are real.
            condition: what rows are told.
            dropped_B: rows that are told nothing after all, bool.

        """
        x_BSD, ahead = self.embed_frames(ids_BTQ), 0
        starts_B = torch.zeros_like(lengths_B)
        if self.prefix is not None and condition is not None:
            prefix_BPD, starts_B = self.prefix(condition, dropped_B)
            x_BSD, ahead = torch.cat([prefix_BPD, x_BSD], 1), prefix_BPD.shape[1]
        mask = self._seen(x_BSD.shape[1], ahead, starts_B, lengths_B, stage_B)
        hidden_BTD = self.decoder(x_BSD, mask=mask)[:, ahead:]
        return torch.bmm(hidden_BTD, self.heads_QKD[stage_B].mT.to(hidden_BTD.dtype))

    @torch.no_grad()
    def generate(
        self,
        frames: int,
        sampler: Sampler,
        prompt_BTQ: Tensor,
        condition: Condition | None = None,
    ) -> Tensor:
        """Fill one codebook after the other, in steps that keep what is likeliest."""
        rows, known, books = prompt_BTQ.shape
        ids_BTQ = prompt_BTQ.new_full((rows, frames, books), self.empty)
        ids_BTQ[:, :known] = prompt_BTQ
        for stage in range(books):
            fill_stage(self, ids_BTQ, stage, known, sampler, condition)
        return ids_BTQ

    @property
    def span(self) -> int:
        """Frames that are hidden together."""
        return SPAN if self.in_spans else 1

    def _draw_holes(
        self, codes_BTQ: Tensor, lengths_B: Tensor, dropped_B: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Draw what is hidden, and what is seen whole, [B, T] bool each."""
        real_BT, frames = is_real(codes_BTQ, lengths_B), codes_BTQ.shape[1]
        time_B = torch.rand(lengths_B.shape, device=lengths_B.device)
        if self.in_spans:
            counts_B = count_spans(magnet_rate(time_B), lengths_B, frames)
            return draw_spans(counts_B, lengths_B, frames), torch.zeros_like(real_BT)
        known_BT = draw_prompt(lengths_B, frames, dropped_B)
        return draw_singles(maskgct_rate(time_B), real_BT & ~known_BT), known_BT

    def _seen(
        self, positions: int, ahead: int, starts_B: Tensor, lengths_B: Tensor, stage_B: Tensor
    ) -> Tensor:
        """Return which positions see which, [B, 1, S, S] bool; the prefix sees only itself."""
        keys = torch.arange(positions, device=lengths_B.device)
        queries = keys[:, None]
        told = (keys < ahead) & (keys >= starts_B[:, None, None])
        frame = (keys >= ahead) & (queries >= ahead) & (keys < ahead + lengths_B[:, None, None])
        if self.in_spans:
            near = (keys - queries).abs() <= CONTEXT
            frame = frame & (near | (stage_B == 0)[:, None, None])
        return (told | frame | (keys == queries))[:, None]
