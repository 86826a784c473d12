"""Telling the text by the first codebook alone, so that its ids come to stand for what is said.

The idea of QDAC, the codec of QTTS: there an autoregressive recogniser, here CTC (Graves et al.,
2006) over characters, behind two convolutions over what the first codebook makes of the latents.

Shapes end names: B batch, T frames, D features, U characters of a text, K characters and the blank.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.asr.ctc import can_align, ctc_loss
from wavemill.models.asr.text import Characters, normalize

WIDTH, KERNEL = 256, 5


class Texts(NamedTuple):
    """Texts as ids of characters, padded."""

    ids: Tensor
    """[B, U], int64."""
    lengths: Tensor
    """[B]; 0 where there is none."""


class Recognizer(nn.Module):
    """Scores characters at every frame; it hears both neighbours, and no codec needs it later."""

    def __init__(self, dim: int, alphabet: str) -> None:
        """Draw first weights.

        Raises:
            UsageError: the alphabet holds what is no letter.

        """
        super().__init__()
        self._characters = Characters(alphabet)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, WIDTH, KERNEL, padding=KERNEL // 2) for channels in (dim, WIDTH)
        )
        self.last = nn.Linear(WIDTH, self._characters.size + 1)

    def spell(self, texts: Sequence[str | None], device: torch.device) -> Texts:
        """Turn texts into ids."""
        spelt = [self._characters.encode(normalize(text or "")) for text in texts]
        longest = max(1, *map(len, spelt))
        ids = torch.tensor([one + [0] * (longest - len(one)) for one in spelt])
        return Texts(ids.to(device), torch.tensor(list(map(len, spelt))).to(device))

    def forward(self, first_BTD: Tensor, real_BT: Tensor, texts: Texts) -> Tensor:
        """Return what clips lose, [B]: minus the log probability of a text, a character.

        Clips without a text, or with one that is too long for them, lose nothing.
        """
        x_BDT = first_BTD.transpose(1, 2)
        for layer in self.layers:
            x_BDT = functional.elu(layer(x_BDT * real_BT[:, None]))
        scores_BTK = self.last(x_BDT.transpose(1, 2)).float().log_softmax(-1)
        frames_B = real_BT.sum(1)
        loss_B = ctc_loss(scores_BTK, texts.ids, frames_B.clamp(min=1), texts.lengths)
        told_B = (texts.lengths > 0) & can_align(texts.ids, frames_B, texts.lengths)
        return torch.where(told_B, loss_B, 0) / texts.lengths.clamp(min=1)
