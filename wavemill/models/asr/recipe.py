"""`asr`: speech recognition, from audio or from a token stream.

A FastConformer encoder (https://arxiv.org/abs/2305.05084) and a transformer decoder, trained by
CTC on the encoder and cross-entropy on the decoder together (https://arxiv.org/abs/1609.06773).
`paper` has the layers of Canary-1B-flash, which moved decoder layers to the encoder: 32 + 4 where
there were 24 + 24 (https://arxiv.org/abs/2503.05931); preset `unshifted` has those.

Shapes end names: B batch, T frames, U units of a text, V units and the blank or the end.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from wavemill.errors import JobError, UsageError
from wavemill.loader.batch import Batch
from wavemill.models.asr.ctc import can_align, ctc_loss
from wavemill.models.asr.model import AsrModel, pad_targets
from wavemill.models.asr.settings import AsrConfig
from wavemill.models.asr.spelling import content_of, make_vocabulary
from wavemill.models.asr.text import normalize
from wavemill.models.asr.text_loss import text_loss
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.features import SAMPLE_RATE

_PAPER = AsrConfig(encoder_layers=32, decoder_layers=4, width=1024, heads=8, ctc_frames=2)
_PAPER_TRAINING = TrainSettings(
    steps=200_000,
    batch_seconds=360,
    learning_rate=3e-4,
    schedule="inverse-sqrt",
    warmup=5000,
    beta2=0.98,
    weight_decay=1e-3,
    precision="bfloat16",
)


class Asr(Recipe):
    """The recipe."""

    about: ClassVar = "speech recognition: a conformer with CTC and a decoder, of audio or tokens"
    presets: ClassVar[Mapping[str, AsrConfig]] = {
        "small": AsrConfig(
            subsampling=4,
            channels=32,
            encoder_layers=4,
            decoder_layers=1,
            width=128,
            ctc_frames=1,
            # A little data teaches the decoder its texts by heart before it listens.
            ctc_weight=0.7,
            augment=0.5,
            tempo=0.1,
        ),
        "paper": _PAPER,
        "unshifted": replace(_PAPER, encoder_layers=24, decoder_layers=24),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(steps=2400, batch_seconds=20, learning_rate=1.5e-3, warmup=100),
        "paper": _PAPER_TRAINING,
        "unshifted": _PAPER_TRAINING,
    }

    def __init__(self, config: AsrConfig, data: DataFacts) -> None:
        """Find the stream, and read the vocabulary.

        Raises:
            UsageError: the dataset has no such stream, or there is no such vocabulary.

        """
        self.stream: TokenizerFacts | None = None
        if config.stream is not None:
            self.stream = data.streams.get(config.stream)
            if self.stream is None:
                there = ", ".join(sorted(data.streams)) or "none"
                raise UsageError(
                    f"asr: the dataset has no stream {config.stream!r}; there are: {there}; leave"
                    " stream out to hear audio"
                )
        self.config = replace(config, vocabulary=content_of(config.vocabulary))
        self.vocabulary = make_vocabulary(self.config.vocabulary, config.alphabet)
        self.needs = (
            Needs(text=True, streams=(self.stream.name,))
            if self.stream
            else Needs(text=True, sample_rate=SAMPLE_RATE)
        )

    def build(self) -> nn.Module:
        """Make the model."""
        return AsrModel(self.config, self.vocabulary.size, self.stream)

    def heard(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what the model takes of a batch, and its lengths, [B]."""
        if self.stream is not None:
            return batch.tokens[self.stream.name], batch.token_lengths[self.stream.name]
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        return batch.audio, batch.audio_lengths

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return CTC's loss and the decoder's in nats over units and the ends of texts.

        Samples without a text, and those whose text cannot be spelt, do not count. `unaligned` is
        the share of the units of texts that are too long for CTC, which learns nothing of them.

        Raises:
            JobError: no sample of the batch has a text.

        """
        heard, lengths_B = self.heard(batch)
        spelt = [self._spell(text) for text in batch.text or [None] * len(batch)]
        if all(ids is None for ids in spelt):
            raise JobError(
                f"no sample of a batch has a text that can be spelt ({batch.keys[0]} and others);"
                " asr learns from texts: prepare a manifest that has them"
            )
        targets_BU, units_B = pad_targets([ids or [] for ids in spelt], heard.device)
        counts_B = torch.tensor([float(ids is not None) for ids in spelt]).to(heard.device)
        scores_BTV, frames_B, logits_BUV = model(heard, lengths_B, targets_BU)
        count = (counts_B * (units_B + 1)).sum()
        total, parts = torch.zeros((), device=heard.device), {}
        if scores_BTV is not None:
            loss_B = ctc_loss(scores_BTV, targets_BU, frames_B, units_B) * counts_B
            fits_B = can_align(targets_BU, frames_B, units_B)
            total = total + self.config.ctc_weight * loss_B.sum()
            parts = {
                "ctc": loss_B.sum().detach(),
                "unaligned": (counts_B * ~fits_B * (units_B + 1)).sum(),
            }
        if logits_BUV is not None:
            loss = text_loss(logits_BUV, targets_BU, units_B, counts_B, self.config.label_smoothing)
            total = total + (1 - self.config.ctc_weight) * loss
            parts["decoder"] = loss.detach()
        return Loss(total=total, count=count, parts=parts)

    def _spell(self, text: str | None) -> list[int] | None:
        ids = None if text is None else self.vocabulary.encode(normalize(text))
        # Nothing said is something to learn; something that is left nothing of is not.
        return None if not ids and text else ids
