"""The model of `beats-tokenizer`: what becomes the tokenizer, and what only its training needs.

Shapes end names: B batch, T patches, D features, C features of a word, N patches in a row.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.beats.codebook import Codebook
from wavemill.models.beats.encoder import BeatsNet, Sizes, Stack
from wavemill.models.fbank import batch_fbank
from wavemill.models.padding import is_real, silenced
from wavemill.specs import check_range
from wavemill.tokenizers.beats import CODE_DIM
from wavemill.tokenizers.beats_fbank import PATCH, PATCHES_A_STEP

LEAST_SPREAD = 1e-3


@dataclass(frozen=True, kw_only=True)
class BeatsTokenizerConfig(Sizes):
    """Settings of `beats-tokenizer`."""

    teacher: str
    """A finished run of `beats`, or a checkpoint of an encoder in Microsoft's format."""
    words: int = 1024
    decay: float = 0.99
    """Of the averages that words move with."""
    commitment: float = 1.0
    """Weight of the distance to the word beside that to the teacher."""
    estimator_layers: int = 3
    teacher_layers: int | None = None
    """This and what follows is read of the teacher."""
    teacher_width: int | None = None
    teacher_heads: int | None = None
    teacher_feed: int | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("words", self.words, 2, 65_536)
        check_range("decay", self.decay, 0, 1)
        check_range("commitment", self.commitment, 0, 1e6)
        check_range("estimator_layers", self.estimator_layers, 1, 1000)

    @property
    def teacher_sizes(self) -> Sizes | None:
        """Of the teacher; None as long as it was not read."""
        if (
            self.teacher_layers is None
            or self.teacher_width is None
            or self.teacher_heads is None
            or self.teacher_feed is None
        ):
            return None
        return Sizes(
            layers=self.teacher_layers,
            width=self.teacher_width,
            heads=self.teacher_heads,
            feed=self.teacher_feed,
            dropout=0.0,
        )


class BeatsTokenizerModel(BeatsNet):
    """The tokenizer, the estimator that only training needs, and the teacher."""

    target_mean: Tensor
    target_spread: Tensor

    def __init__(self, config: BeatsTokenizerConfig, teacher: Sizes) -> None:
        """Draw its weights."""
        super().__init__(config)
        width = config.width
        self.quantize_layer = nn.Sequential(
            nn.Linear(width, width), nn.Tanh(), nn.Linear(width, CODE_DIM)
        )
        self.quantize = nn.ModuleDict({"embedding": Codebook(config.words, CODE_DIM, config.decay)})
        self.estimator = nn.ModuleDict(
            {
                "embed": nn.Linear(CODE_DIM, width),
                "stack": Stack(replace(config, layers=config.estimator_layers)),
                "head": nn.Linear(width, teacher.width),
            }
        )
        self.teacher = BeatsNet(teacher).requires_grad_(requires_grad=False)
        self.register_buffer("target_mean", torch.zeros(teacher.width))
        self.register_buffer("target_spread", torch.ones(teacher.width))

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Set the mode of all but the teacher, which never trains."""
        super().train(mode)
        self.teacher.eval()
        return self

    @property
    def codebook(self) -> Codebook:
        """The words."""
        part = self.quantize["embedding"]
        assert isinstance(part, Codebook)
        return part

    def forward(  # type: ignore[override]
        self, audio_BN: Tensor, samples_B: Tensor, patches_B: Tensor, total: int
    ) -> tuple[Tensor, Tensor]:
        """Return cosines to the teacher and squared distances to the words, [B, T] each.

        Args:
            audio_BN: float32 at 16 kHz.
            samples_B: how many of N are real.
            patches_B: how many patches are real.
            total: T, with what is padded.

        """
        fbank_BFM = _hear(audio_BN, samples_B, total)
        points_BTC = self._project(fbank_BFM, patches_B)
        real_BT = is_real(patches_B, total)
        words_NC, _ = self.codebook(points_BTC.flatten(0, 1), real_BT.flatten())
        words_BTC = words_NC.unflatten(0, real_BT.shape)
        passed_BTC = points_BTC + (words_BTC - points_BTC).detach()
        x_BTD = self.estimator["stack"](self.estimator["embed"](passed_BTC), real_BT)
        guess_BTD = self.estimator["head"](x_BTD)
        with torch.no_grad():
            target_BTD = self.teacher(fbank_BFM, patches_B).float()
            target_BTD = (target_BTD - self.target_mean) / self.target_spread
        cosine_BT = functional.cosine_similarity(guess_BTD.float(), target_BTD, dim=2)
        return cosine_BT, (points_BTC - words_BTC).square().sum(2)

    @torch.no_grad()
    def survey(
        self, audio_BN: Tensor, samples_B: Tensor, patches_B: Tensor, total: int
    ) -> tuple[Tensor, Tensor]:
        """Return what is made and what is taught of real patches, [N, C] and [N, D] float32.

        Made is what the words are looked up by, before it has length one; taught, the teacher's
        features.
        """
        fbank_BFM = _hear(audio_BN, samples_B, total)
        real_BT = is_real(patches_B, total)
        made_BTC = self.quantize_layer(super().forward(fbank_BFM, patches_B))
        return made_BTC[real_BT].float(), self.teacher(fbank_BFM, patches_B)[real_BT].float()

    @torch.no_grad()
    def centre(self, made_NC: Tensor, taught_ND: Tensor) -> Tensor:
        """Centre what the words are looked up by, and what is to be told of them.

        A transformer's features differ less from patch to patch than their mean is large, those of
        random weights most of all: on the sphere all would be one point, and one word enough.

        Args:
            made_NC: as `survey` returns it.
            taught_ND: likewise.

        Returns:
            Points of length one, [N, C].

        """
        last = self.quantize_layer[-1]
        assert isinstance(last, nn.Linear)
        last.bias.sub_(made_NC.mean(0).to(last.bias))
        self.target_mean.copy_(taught_ND.mean(0))
        self.target_spread.copy_(taught_ND.std(0).clamp(min=LEAST_SPREAD))
        return functional.normalize(made_NC - made_NC.mean(0), dim=1)

    def points(self, audio_BN: Tensor, samples_B: Tensor, patches_B: Tensor, total: int) -> Tensor:
        """Return what the words are looked up by, of length one: [B, T, C] float32."""
        return self._project(_hear(audio_BN, samples_B, total), patches_B)

    def _project(self, fbank_BFM: Tensor, patches_B: Tensor) -> Tensor:
        features_BTD = super().forward(fbank_BFM, patches_B)
        return functional.normalize(self.quantize_layer(features_BTD).float(), dim=2)


def _hear(audio_BN: Tensor, samples_B: Tensor, total: int) -> Tensor:
    return batch_fbank(silenced(audio_BN, samples_B), total // PATCHES_A_STEP * PATCH)
