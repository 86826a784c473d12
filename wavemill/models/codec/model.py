"""The codec in training, with its discriminator and what both keep between steps.

Shapes end names: B batch, N samples, T frames, D features, U units of a text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from wavemill.models.codec.adversary import not_fooled, told_apart, unlike
from wavemill.models.codec.balancer import Balancer
from wavemill.models.codec.codebooks import CodebookTraining, Quantized
from wavemill.models.codec.config import CodecConfig
from wavemill.models.codec.discriminator import Discriminator
from wavemill.models.codec.recognition import Recognizer
from wavemill.models.codec.spectra import MagnitudeDistance, MelDistance
from wavemill.models.recipe import Loss
from wavemill.tokenizers.seanet.codec import SeanetCodec
from wavemill.tokenizers.seanet.quantizers import (
    GroupedQuantizer,
    ResidualQuantizer,
    ScalarQuantizer,
)
from wavemill.tokenizers.seanet.sizes import numbers

CODEC, DISCRIMINATOR = "codec", "discriminator"
"""The submodules that the two turns move."""
BALANCED = ("l1", "mel", "adversarial", "features")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which part of a step is to be done."""

    turn: str
    """`CODEC` or `DISCRIMINATOR`."""
    adversary: bool = True
    """Whether the discriminator has joined in."""
    quantizes: bool = True
    """Whether residual codebooks are in use; before, latents pass as they are."""
    fills: bool = False
    """Whether this is the last step before they are, at whose end they are filled."""


class CodecModel(nn.Module):
    """Losses of both turns; `codec.network` is what is kept in the end."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self._config = config
        network = SeanetCodec(config)
        self.codec = nn.ModuleDict({"network": network})
        if config.ctc:
            self.codec["recognizer"] = Recognizer(config.dim, config.alphabet)
        if config.adversarial:
            windows = numbers(config.windows, "windows")
            self.discriminator = Discriminator(config.filters_2d, windows)
        self.finds_phases = config.phases == "found"
        self.mel_distance = (
            MagnitudeDistance(config.sample_rate, config.spectra)
            if self.finds_phases
            else MelDistance(config.sample_rate)
        )
        self.balancer = Balancer({name: getattr(config, name) for name in BALANCED})
        if isinstance(network.quantizer, ResidualQuantizer):
            self.codebooks = CodebookTraining(
                network.quantizer.books, config.decay, config.revive_below
            )

    @property
    def network(self) -> SeanetCodec:
        """The codec itself."""
        network = self.codec["network"]
        assert isinstance(network, SeanetCodec)
        return network

    def forward(
        self,
        audio_BN: Tensor,
        lengths_B: Tensor,
        part: Part,
        texts: Sequence[str | None] | None = None,
    ) -> Loss:
        """Return what the turn loses, a sum over clips.

        The codec's loss has the value of all but what the discriminator says of it, and the
        gradient that the balancer makes of everything.

        Args:
            audio_BN: float32; what is padded holds anything.
            lengths_B: samples of each clip.
            part: of the step.
            texts: of the clips, where the first codebook is to tell them.

        """
        real_BN = torch.arange(audio_BN.shape[1], device=lengths_B.device) < lengths_B[:, None]
        audio_BN = self._vary(torch.where(real_BN, audio_BN, 0))
        if part.turn == DISCRIMINATOR:
            with torch.no_grad():
                found_BN, _ = self.run(audio_BN, lengths_B, part)
            found_BN = torch.where(real_BN, found_BN, 0)
            total = told_apart(
                self.discriminator(audio_BN, lengths_B), self.discriminator(found_BN, lengths_B)
            ).sum()
            return Loss(total=total, count=(lengths_B > 0).sum())
        if self.finds_phases:
            quantized = self._code(audio_BN, lengths_B, part)
            found_BCF = self.network.spectra(quantized.latents)
            loss = self._magnitude_loss(found_BCF, audio_BN, lengths_B, quantized)
        else:
            found_BN, quantized = self.run(audio_BN, lengths_B, part)
            found_BN = torch.where(real_BN, found_BN, 0)
            loss = self._codec_loss(found_BN, audio_BN, lengths_B, quantized, part)
        if texts is None or not self._config.ctc:
            return loss
        ctc = self._untold(quantized.first, lengths_B, texts)
        total = loss.total + self._config.ctc * ctc
        return replace(loss, total=total, parts={**loss.parts, "ctc": ctc.detach()})

    def _untold(self, first_BTD: Tensor, lengths_B: Tensor, texts: Sequence[str | None]) -> Tensor:
        """Return how little the first codebook tells of the texts, a sum over clips."""
        recognizer = self.codec["recognizer"]
        assert isinstance(recognizer, Recognizer)
        spelt = recognizer.spell(texts, first_BTD.device)
        loss_B: Tensor = recognizer(first_BTD, self._real(first_BTD, lengths_B), spelt)
        return loss_B.sum()

    def _real(self, x_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Say which frames are no padding, [B, T]."""
        places = torch.arange(x_BTD.shape[1], device=lengths_B.device) * self._config.hop
        return places < lengths_B[:, None]

    def _vary(self, audio_BN: Tensor) -> Tensor:
        """Draw how loud each clip is, in training."""
        if not (self.training and self._config.gain_db):
            return audio_BN
        shares_B1 = torch.rand(len(audio_BN), 1, device=audio_BN.device) * 2 - 1
        return audio_BN * 10 ** (self._config.gain_db / 20 * shares_B1)

    def run(self, audio_BN: Tensor, lengths_B: Tensor, part: Part) -> tuple[Tensor, Quantized]:
        """Code and decode; return audio [B, N], float32, and what the quantizer did."""
        quantized = self._code(audio_BN, lengths_B, part)
        found_BN = self.network.audio(quantized.latents)[:, : audio_BN.shape[1]]
        return found_BN.float(), quantized

    def _code(self, audio_BN: Tensor, lengths_B: Tensor, part: Part) -> Quantized:
        latents_BTD = self.network.latents(audio_BN)
        with torch.autocast(audio_BN.device.type, enabled=False):
            return self._quantize(latents_BTD.float(), self._real(latents_BTD, lengths_B), part)

    def _quantize(self, latents_BTD: Tensor, real_BT: Tensor, part: Part) -> Quantized:
        quantizer = self.network.quantizer
        if isinstance(quantizer, ScalarQuantizer | GroupedQuantizer):
            none_B = latents_BTD.new_zeros(len(latents_BTD))
            return Quantized(quantizer(latents_BTD), latents_BTD, none_B)
        assert isinstance(quantizer, ResidualQuantizer)
        learns = self.training and part.turn == CODEC and (part.quantizes or part.fills)
        quantized = self.codebooks.quantize(
            quantizer.books, latents_BTD, real_BT, self._used(latents_BTD), learns=learns
        )
        if part.quantizes:
            return quantized
        if learns:
            self.codebooks.fill_after_step()
        filled = self.codebooks.filled
        return Quantized(
            torch.where(filled, quantized.latents, latents_BTD),
            torch.where(filled, quantized.first, latents_BTD),
            quantized.commitment * filled,
        )

    def _used(self, latents_BTD: Tensor) -> Tensor:
        """Draw how many codebooks each clip uses, [B]; all of them where nothing is trained."""
        size, most = len(latents_BTD), self._config.codebooks
        everything = torch.full((size,), most, device=latents_BTD.device)
        if not self.training:
            return everything
        some = torch.randint(1, most + 1, (size,), device=latents_BTD.device)
        drops = torch.rand(size, device=latents_BTD.device) < self._config.dropout
        return torch.where(drops, some, everything)

    def _codec_loss(
        self,
        found_BN: Tensor,
        audio_BN: Tensor,
        lengths_B: Tensor,
        quantized: Quantized,
        part: Part,
    ) -> Loss:
        config = self._config
        heard_BN = found_BN.detach().requires_grad_()
        losses = self._losses(heard_BN, audio_BN, lengths_B, part)
        parts = {name: loss.detach() for name, loss in losses.items()}
        total = config.l1 * parts["l1"] + config.mel * parts["mel"]
        if torch.is_grad_enabled():
            pull_BN = self.balancer.balance(losses, heard_BN)
            pulled = (found_BN * pull_BN).sum()
            total = total + (pulled - pulled.detach())
        return self._committed(total, parts, lengths_B, quantized)

    def _magnitude_loss(
        self, found_BCF: Tensor, audio_BN: Tensor, lengths_B: Tensor, quantized: Quantized
    ) -> Loss:
        with torch.autocast(audio_BN.device.type, enabled=False):
            off = self.mel_distance(found_BCF, audio_BN, lengths_B).sum()
        parts = {"mel": off.detach()}
        return self._committed(self._config.mel * off, parts, lengths_B, quantized)

    def _committed(
        self, total: Tensor, parts: dict[str, Tensor], lengths_B: Tensor, quantized: Quantized
    ) -> Loss:
        """Add how far latents are from their entries."""
        if self._config.quantizer == "rvq":
            commitment = quantized.commitment.sum()
            parts["commitment"] = commitment.detach()
            total = total + self._config.commitment * commitment
        return Loss(total=total, count=(lengths_B > 0).sum(), parts=parts)

    def _losses(
        self, heard_BN: Tensor, audio_BN: Tensor, lengths_B: Tensor, part: Part
    ) -> Mapping[str, Tensor]:
        """Return sums over the clips of what is balanced."""
        with torch.autocast(audio_BN.device.type, enabled=False):
            off_B = (heard_BN - audio_BN).abs().sum(-1) / lengths_B.clamp(min=1)
            losses = {"l1": off_B.sum()}
            losses["mel"] = self.mel_distance(heard_BN, audio_BN, lengths_B).sum()
        if part.adversary and self.training:
            made = self.discriminator(heard_BN, lengths_B)
            losses["adversarial"] = not_fooled(made).sum()
            if self._config.features:
                with torch.no_grad():
                    real = self.discriminator(audio_BN, lengths_B)
                losses["features"] = unlike(real, made).sum()
        return losses

    def after_step(self) -> None:
        """Take in what the step's batches added to averages."""
        self.balancer.after_step()
        quantizer = self.network.quantizer
        if isinstance(quantizer, ResidualQuantizer):
            self.codebooks.after_step(quantizer.books)
