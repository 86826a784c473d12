"""`codec`: a causal convolutional codec, its losses, and the two turns of its training.

Defossez et al., "High Fidelity Neural Audio Compression" (EnCodec), arXiv 2210.13438. `paper` has
the size of its model at 24 kHz.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar

from torch import nn

from wavemill.loader.batch import Batch
from wavemill.models.codec.config import CodecConfig
from wavemill.models.codec.model import CODEC, DISCRIMINATOR, CodecModel, Part
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe, Turn
from wavemill.models.training.settings import TrainSettings


class Codec(Recipe):
    """The recipe."""

    about: ClassVar = "causal convolutional codec: residual, scalar or grouped ids of audio"
    presets: ClassVar[Mapping[str, CodecConfig]] = {
        "small": CodecConfig(
            spectra=160,
            phases="found",
            filters=128,
            ratios="2",
            residuals=3,
            dim=64,
            codebooks=2,
            codebooks_from=300,
            dropout=0.25,
            gain_db=6,
            l1=0,
            mel=1,
            adversarial=0,
            features=0,
        ),
        "paper": CodecConfig(
            sample_rate=24_000,
            lstm=2,
            codebooks=32,
            revive_below=0.43,
            dropout=1.0,
        ),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=1600, batch_size=16, learning_rate=2e-3, warmup=50, beta1=0.9, beta2=0.99,
            weight_decay=0.0,
        ),
        "paper": TrainSettings(
            steps=600_000, batch_size=64, learning_rate=3e-4, schedule="constant", warmup=0,
            beta1=0.5, beta2=0.9, weight_decay=0.0, max_norm=1e9,
        ),
    }  # fmt: skip

    def __init__(self, config: CodecConfig, data: DataFacts) -> None:
        """Say what is heard."""
        del data
        self.config = config
        # A piece of a sample has no text of its own.
        self.needs = Needs(
            sample_rate=config.sample_rate,
            text=config.ctc > 0,
            crop_seconds=None if config.ctc else config.crop_seconds,
        )

    def build(self) -> nn.Module:
        """Make the codec and its discriminator."""
        return CodecModel(self.config)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return what the codec loses once the discriminator has joined in."""
        return self._loss(model, batch, Part(turn=CODEC, adversary=self._has_adversary))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The discriminator's turn, and the codec's."""
        part = Part(turn=CODEC, adversary=self._has_adversary)
        return self._turns(part, joined=self._has_adversary)

    def turns_at(self, step: int) -> tuple[Turn, ...]:
        """Leave the discriminator out before it joins in, and codebooks before they are filled."""
        config = self.config
        joined = self._has_adversary and step >= config.adversary_from
        heard = joined and step >= config.adversary_from + config.adversary_alone
        quantizes, fills = step > config.codebooks_from, step == config.codebooks_from
        part = Part(turn=CODEC, adversary=heard, quantizes=quantizes, fills=fills)
        return self._turns(part, joined=joined)

    @property
    def _has_adversary(self) -> bool:
        return bool(self.config.adversarial)

    def _turns(self, part: Part, *, joined: bool) -> tuple[Turn, ...]:
        names = (DISCRIMINATOR, CODEC) if joined else (CODEC,)
        return tuple(
            Turn(name=name, part=name, loss=partial(self._loss, part=replace(part, turn=name)))
            for name in names
        )

    def _loss(self, model: nn.Module, batch: Batch, part: Part) -> Loss:
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        texts = batch.text if self.config.ctc else None
        loss: Loss = model(batch.audio, batch.audio_lengths, part, texts)
        return loss

    def after_step(self, model: nn.Module) -> None:
        """Move averages: codebooks, and how hard losses pull."""
        assert isinstance(model, CodecModel)
        model.after_step()
