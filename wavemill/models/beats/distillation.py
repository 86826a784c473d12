"""`beats-tokenizer`: the tokenizer of BEATs' later iterations, distilled of a trained model.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", https://arxiv.org/abs/2212.09058,
section 3.2.2: an encoder, a projection to the nearest of 1024 words by cosine, and a small
transformer that tells the teacher's features from the words alone. `prepare --tokenizer
beats:model=RUN` takes what was trained.

Shapes end names: B batch, N samples, T patches, C features of a word.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from wavemill.errors import JobError, UsageError
from wavemill.loader.batch import Batch
from wavemill.models.beats.distilled import BeatsTokenizerConfig, BeatsTokenizerModel
from wavemill.models.beats.encoder import count_patches, patches_of
from wavemill.models.beats.microsoft import Pretrained, checkpoint
from wavemill.models.padding import is_real
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.beats_fbank import SAMPLE_RATE
from wavemill.tokenizers.faiss_kmeans import train_centroids

FILE = "beats-tokenizer.pt"
"""In a run's folder: the tokenizer in Microsoft's format."""
KMEANS_ITERATIONS = 10
POINTS_A_WORD = 64
"""The first words are centres of so many patches each, if the data has them."""


class BeatsTokenizerRecipe(Recipe):
    """The recipe."""

    about: ClassVar = "BEATs' tokenizer, distilled of a trained model, from audio"
    presets: ClassVar[Mapping[str, BeatsTokenizerConfig]] = {
        "small": BeatsTokenizerConfig(
            teacher="",
            layers=4,
            width=128,
            heads=4,
            feed=512,
            dropout=0.0,
            estimator_layers=2,
            # In so few steps words have to follow points that all move together.
            decay=0.9,
        ),
        "paper": BeatsTokenizerConfig(teacher=""),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=200, batch_seconds=15, learning_rate=2e-4, warmup=20, beta2=0.98,
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

        What it makes, and what the teacher does, has its mean taken off: see `centre`.

        Raises:
            JobError: the data has fewer patches than there are to be words.
            UsageError: the teacher cannot be had.

        """
        assert isinstance(model, BeatsTokenizerModel)
        Pretrained(self.config.teacher, "beats-tokenizer: teacher").load(model.teacher)
        words, made, count = self.config.words, [], 0
        for batch in batches:
            made.append(model.survey(*_heard(batch)))
            count += len(made[-1][0])
            if count >= POINTS_A_WORD * words:
                break
        if count < words:
            raise JobError(
                f"the data has {count} patches, too few for words={words}: give more, or --set"
                " words=..."
            )
        points_NC = model.centre(*(torch.cat(part) for part in zip(*made, strict=True)))
        found = train_centroids(
            points_NC.cpu().numpy(),
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
