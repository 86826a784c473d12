"""`beats-tokenizer`: the tokenizer of BEATs' later iterations, distilled of a trained model.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", https://arxiv.org/abs/2212.09058,
section 3.2.2: an encoder, a projection to the nearest of 1024 words by cosine, and a small
transformer that tells the teacher's features from the words alone. `prepare --tokenizer
beats:model=RUN` takes what was trained.

Shapes end names: B batch, T patches, D features, C features of a word, N patches in a row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.errors import JobError, UsageError
from wavemill.loader.batch import Batch
from wavemill.models.beats.codebook import Codebook
from wavemill.models.beats.encoder import (
    BeatsNet,
    Sizes,
    Stack,
    count_patches,
    patches_of,
)
from wavemill.models.beats.microsoft import Pretrained, checkpoint
from wavemill.models.fbank import batch_fbank
from wavemill.models.padding import is_real, silenced
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.specs import check_range
from wavemill.tokenizers.beats import CODE_DIM
from wavemill.tokenizers.beats_fbank import PATCH, PATCHES_A_STEP, SAMPLE_RATE
from wavemill.tokenizers.faiss_kmeans import train_centroids

FILE = "beats-tokenizer.pt"
"""In a run's folder: the tokenizer in Microsoft's format."""
KMEANS_ITERATIONS = 10
POINTS_A_WORD = 64
"""The first words are centres of so many patches each, if the data has them."""


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


class BeatsTokenizerRecipe(Recipe):
    """The recipe."""

    about: ClassVar = "BEATs' tokenizer, distilled of a trained model, from audio"
    presets: ClassVar[Mapping[str, BeatsTokenizerConfig]] = {
        "small": BeatsTokenizerConfig(
            teacher="", layers=4, width=128, heads=4, feed=512, dropout=0.0, estimator_layers=2
        ),
        "paper": BeatsTokenizerConfig(teacher=""),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=300, batch_seconds=30, learning_rate=1e-3, warmup=30, beta2=0.98,
            weight_decay=0.01,
        ),
        "paper": TrainSettings(
            steps=400_000, batch_seconds=350, batches=4, learning_rate=5e-5, warmup=32_000,
            schedule="linear", beta2=0.98, weight_decay=0.01, precision="bfloat16",
        ),
    }  # fmt: skip

    def __init__(self, config: BeatsTokenizerConfig, data: DataFacts) -> None:
        """Read the teacher's sizes, unless they are given.

        Raises:
            UsageError: there is no such teacher.

        """
        del data
        if not config.teacher:
            raise UsageError("beats-tokenizer: give --set teacher=RUN, a finished run of beats")
        sizes = config.teacher_sizes
        if sizes is None:
            sizes = Pretrained(config.teacher, "beats-tokenizer: teacher").sizes
            config = replace(
                config,
                teacher_layers=sizes.layers,
                teacher_width=sizes.width,
                teacher_heads=sizes.heads,
                teacher_feed=sizes.feed,
            )
        self.config, self._teacher = config, sizes
        self.needs = Needs(sample_rate=SAMPLE_RATE)

    def build(self) -> "BeatsTokenizerModel":
        """Make the model."""
        return BeatsTokenizerModel(self.config, self._teacher)

    def begin(self, model: nn.Module, batches: Iterator[Batch]) -> None:
        """Load the teacher, and have the first words be centres of what the encoder makes now.

        Raises:
            JobError: the data has fewer patches than there are to be words.
            UsageError: the teacher cannot be had.

        """
        assert isinstance(model, BeatsTokenizerModel)
        Pretrained(self.config.teacher, "beats-tokenizer: teacher").load(model.teacher)
        words, points, count = self.config.words, [], 0
        with torch.no_grad():
            for batch in batches:
                audio_BN, samples_B, patches_B, total = _heard(batch)
                points_BTC = model.points(audio_BN, samples_B, patches_B, total)
                points.append(points_BTC[is_real(patches_B, total)].cpu())
                count += len(points[-1])
                if count >= POINTS_A_WORD * words:
                    break
        if count < words:
            raise JobError(
                f"the data has {count} patches, too few for words={words}: give more, or --set"
                " words=..."
            )
        found = train_centroids(
            torch.cat(points).numpy(),
            words,
            iterations=KMEANS_ITERATIONS,
            seed=0,
            spherical=True,
            what="beats-tokenizer",
        )
        model.codebook.fill(torch.from_numpy(found).to(model.codebook.weight))

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the mean over patches of minus the cosine to the teacher, and the commitment."""
        audio_BN, samples_B, patches_B, total = _heard(batch)
        cosine_BT, distance_BT = model(audio_BN, samples_B, patches_B, total)
        hidden_BT = ~is_real(patches_B, total)
        cosine = cosine_BT.masked_fill(hidden_BT, 0.0).sum()
        distance = distance_BT.masked_fill(hidden_BT, 0.0).sum()
        return Loss(
            total=self.config.commitment * distance - cosine,
            count=patches_B.sum(),
            parts={"cosine": cosine, "distance": distance},
        )

    def after_step(self, model: nn.Module) -> None:
        """Move the words."""
        assert isinstance(model, BeatsTokenizerModel)
        model.codebook.move()

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return the tokenizer in Microsoft's format, as `beats:model=` reads it."""
        assert isinstance(model, BeatsTokenizerModel)
        average = {"quantize.embedding.embed_avg": model.codebook.weight}
        return {FILE: checkpoint(model, self.config, average)}


def _heard(batch: Batch) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return audio, its lengths, how many patches are real, and how many there are with padding."""
    assert batch.audio is not None
    assert batch.audio_lengths is not None
    total = patches_of(batch.audio.shape[1])
    return batch.audio, batch.audio_lengths, count_patches(batch.audio_lengths), total


class BeatsTokenizerModel(BeatsNet):
    """The tokenizer, the estimator that only training needs, and the teacher."""

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
            target_BTD = self.teacher(fbank_BFM, patches_B)
        cosine_BT = functional.cosine_similarity(guess_BTD.float(), target_BTD.float(), dim=2)
        return cosine_BT, (points_BTC - words_BTC).square().sum(2)

    def points(self, audio_BN: Tensor, samples_B: Tensor, patches_B: Tensor, total: int) -> Tensor:
        """Return what the words are looked up by, of length one: [B, T, C] float32."""
        return self._project(_hear(audio_BN, samples_B, total), patches_B)

    def _project(self, fbank_BFM: Tensor, patches_B: Tensor) -> Tensor:
        features_BTD = super().forward(fbank_BFM, patches_B)
        return functional.normalize(self.quantize_layer(features_BTD).float(), dim=2)


def _hear(audio_BN: Tensor, samples_B: Tensor, total: int) -> Tensor:
    return batch_fbank(silenced(audio_BN, samples_B), total // PATCHES_A_STEP * PATCH)
