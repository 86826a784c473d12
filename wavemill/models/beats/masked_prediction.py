"""`beats`: masked prediction of acoustic tokens.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", https://arxiv.org/abs/2212.09058,
section 3.3: most patches are dropped, the encoder sees the others alone, and a small transformer
that puts them back among mask tokens predicts the tokens of what was dropped. The tokens are those
of a `beats` stream: of random weights at first, then of a tokenizer that `beats-tokenizer` trains.

Shapes end names: B batch, T patches, K kept ones, D features, C ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.beats.encoder import (
    BeatsNet,
    Sizes,
    Stack,
    count_patches,
    patches_of,
)
from wavemill.models.beats.masking import keep_some
from wavemill.models.beats.microsoft import checkpoint
from wavemill.models.fbank import batch_fbank
from wavemill.models.padding import is_real, silenced
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.specs import check_range
from wavemill.tokenizers.beats_fbank import PATCH, PATCHES_A_STEP, SAMPLE_RATE

FILE = "beats.pt"
"""In a run's folder: the encoder in Microsoft's format."""


@dataclass(frozen=True, kw_only=True)
class BeatsConfig(Sizes):
    """Settings of `beats`."""

    stream: str = ""
    """Whose ids are predicted; the dataset's first of `beats` tokens if left out."""
    mask: float = 0.75
    """Share of the patches that is dropped."""
    predictor_layers: int = 3

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("mask", self.mask, 0.01, 0.99)
        check_range("predictor_layers", self.predictor_layers, 1, 1000)


class BeatsRecipe(Recipe):
    """The recipe."""

    about: ClassVar = "BEATs: masked prediction of acoustic tokens, from audio"
    presets: ClassVar[Mapping[str, BeatsConfig]] = {
        "small": BeatsConfig(
            layers=4, width=128, heads=4, feed=512, dropout=0.0, predictor_layers=2
        ),
        "paper": BeatsConfig(),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=600, batch_seconds=30, learning_rate=1e-3, warmup=60, beta2=0.98,
            weight_decay=0.01,
        ),
        "paper": TrainSettings(
            steps=400_000, batch_seconds=350, batches=16, learning_rate=5e-4, warmup=32_000,
            schedule="linear", beta2=0.98, weight_decay=0.01, precision="bfloat16",
        ),
    }  # fmt: skip

    def __init__(self, config: BeatsConfig, data: DataFacts) -> None:
        """Find the stream.

        Raises:
            UsageError: there is no stream of `beats` tokens, or it is not the one that was asked
                for.

        """
        beats = [name for name, facts in data.streams.items() if facts.kind == "beats"]
        name = config.stream or next(iter(beats), "")
        if name not in beats:
            asked = f"no stream {name!r} of beats tokens" if name else "no stream of beats tokens"
            there = ", ".join(sorted(beats)) or "none"
            raise UsageError(
                f"beats: the dataset has {asked}; there are: {there}; prepare it with --tokenizer"
                " beats, or give --set stream=NAME"
            )
        self.config, self._ids = config, data.streams[name].codebook_size
        self.needs = Needs(streams=(name,), sample_rate=SAMPLE_RATE)

    def build(self) -> "BeatsModel":
        """Make the model."""
        return BeatsModel(self.config, self._ids)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the cross-entropy in nats over the patches that were dropped."""
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        (name,) = self.needs.streams
        steps = batch.tokens[name].shape[1] // PATCHES_A_STEP
        ids_BT = batch.tokens[name][:, : steps * PATCHES_A_STEP, 0]
        # Audio that is stored at another rate may be resampled to a frame more or less.
        patches_B = torch.minimum(count_patches(batch.audio_lengths), batch.token_lengths[name])
        logits_BTC, masked_BT = model(
            batch.audio, batch.audio_lengths, patches_B, total=ids_BT.shape[1]
        )
        each_BT = functional.cross_entropy(
            logits_BTC.float().transpose(1, 2), ids_BT, reduction="none"
        )
        right_BT = logits_BTC.argmax(2) == ids_BT
        return Loss(
            total=each_BT.masked_fill(~masked_BT, 0.0).sum(),
            count=masked_BT.sum(),
            parts={"accuracy": (right_BT & masked_BT).sum()},
        )

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return the encoder in Microsoft's format, as `openbeats` and the teacher `beats` read."""
        assert isinstance(model, BeatsModel)
        return {FILE: checkpoint(model, self.config)}


class BeatsModel(BeatsNet):
    """The encoder, and what predicts tokens by it."""

    def __init__(self, config: BeatsConfig, ids: int) -> None:
        """Draw its weights."""
        super().__init__(config)
        self.mask = config.mask
        self.predictor = Predictor(config, ids)

    def forward(  # type: ignore[override]
        self, audio_BN: Tensor, samples_B: Tensor, patches_B: Tensor, total: int
    ) -> tuple[Tensor, Tensor]:
        """Return logits of all patches, [B, T, C], and which of them are to be predicted, [B, T].

        Args:
            audio_BN: float32 at 16 kHz.
            samples_B: how many of N are real.
            patches_B: how many patches are real.
            total: T, with what is padded: a multiple of 8.

        """
        x_BTD = self.embed(self.hear(audio_BN, samples_B, total))
        kept = keep_some(patches_B, total, self.mask)
        index_BKD = kept.places[:, :, None].expand(-1, -1, x_BTD.shape[2])
        seen_BKD = self.encoder(x_BTD.gather(1, index_BKD), kept.real, kept.places, total)
        seen_BKD = seen_BKD.masked_fill(~kept.real[:, :, None], 0.0)
        seen_BTD = torch.zeros_like(x_BTD, dtype=seen_BKD.dtype).scatter_add(1, index_BKD, seen_BKD)
        logits_BTC = self.predictor(seen_BTD, kept.masked, is_real(patches_B, total))
        return logits_BTC, kept.masked

    def hear(self, audio_BN: Tensor, samples_B: Tensor, total: int) -> Tensor:
        """Return the filter bank of so many patches a row, [B, F, M]."""
        return batch_fbank(silenced(audio_BN, samples_B), total // PATCHES_A_STEP * PATCH)

    def features(self, audio_BN: Tensor, samples_B: Tensor) -> tuple[Tensor, Tensor]:
        """Encode whole clips.

        Args:
            audio_BN: float32 at 16 kHz.
            samples_B: how many of N are real.

        Returns:
            Features of all patches, [B, T, D], and how many of them are real, [B].

        """
        patches_B = count_patches(samples_B)
        total = patches_of(audio_BN.shape[1])
        fbank_BFM = self.hear(audio_BN, samples_B, total)
        return super().forward(fbank_BFM, patches_B), patches_B


class Predictor(nn.Module):
    """Predicts tokens where patches were dropped, by the features of the others."""

    def __init__(self, config: BeatsConfig, ids: int) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(torch.empty(config.width))
        self.embed = nn.Linear(config.width, config.width)
        self.stack = Stack(replace(config, layers=config.predictor_layers))
        self.head = nn.Linear(config.width, ids)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, seen_BTD: Tensor, masked_BT: Tensor, real_BT: Tensor) -> Tensor:
        """Return logits, [B, T, C]."""
        x_BTD = self.embed(seen_BTD)
        x_BTD = torch.where(masked_BT[:, :, None], self.mask_token.to(x_BTD.dtype), x_BTD)
        return self.head(self.stack(x_BTD, real_BT))  # type: ignore[no-any-return]
