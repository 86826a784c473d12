"""`token-lm`: a language model over the codebooks of one token stream.

One embedding a codebook, added up where a position holds several ids; a transformer; one linear
head a codebook. The size of the preset `paper` is that of MusicGen's smallest model
(https://arxiv.org/abs/2306.05284), whose positions are sinusoids where these are rotary.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.token_lm.condition import BYTES, Condition, text_condition
from wavemill.models.token_lm.config import TEXT, TokenLmConfig
from wavemill.models.token_lm.layout import IGNORED, Vocabulary
from wavemill.models.token_lm.table import LAYOUTS
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts


class TokenLm(Recipe):
    """The recipe."""

    about: ClassVar = "language model over a token stream's codebooks"
    presets: ClassVar[Mapping[str, TokenLmConfig]] = {
        "small": TokenLmConfig(width=192, dropout=0.1),
        "paper": TokenLmConfig(layers=24, width=1024, heads=16),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=500, batch_tokens=1500, learning_rate=2e-3, warmup=100, validate_every=100
        ),
        "paper": TrainSettings(
            steps=1_000_000,
            batch_tokens=50_000,
            learning_rate=1e-4,
            warmup=4000,
            precision="bfloat16",
            compile=True,
        ),
    }

    def __init__(self, config: TokenLmConfig, data: DataFacts) -> None:
        """Find the stream, and what it is conditioned on.

        Raises:
            UsageError: the dataset has no such stream, or none at all, or too few codebooks.

        """
        others = [name for name in data.streams if name != config.condition]
        self.stream = _find(config.stream or next(iter(others), ""), data, "stream")
        told: tuple[str, ...] = ()
        self.config = config
        if config.condition and config.condition != TEXT:
            self.condition = _find(config.condition, data, "condition")
            told = (self.condition.name,)
            if self.condition.name == self.stream.name:
                raise UsageError(f"token-lm: condition={config.condition} is the stream itself")
        if config.layout == "dual-ar" and self.stream.num_codebooks == 1:
            raise UsageError(
                f"token-lm: layout=dual-ar needs several codebooks, and {self.stream.name} has one;"
                " give --set layout=flat"
            )
        self.needs = Needs(streams=(self.stream.name, *told), text=config.condition == TEXT)

    def build(self) -> nn.Module:
        """Make the model."""
        vocabulary = None
        if self.config.condition == TEXT:
            vocabulary = Vocabulary(1, BYTES)
        elif self.config.condition:
            vocabulary = Vocabulary(self.condition.num_codebooks, self.condition.codebook_size)
        return LAYOUTS[self.config.layout](self.config, self.stream, vocabulary)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the cross-entropy in nats over all ids that are guessed."""
        name = self.stream.name
        guesses = model(batch.tokens[name], batch.token_lengths[name], self.condition_of(batch))
        total = torch.zeros((), device=batch.tokens[name].device)
        count = torch.zeros_like(total, dtype=torch.int64)
        for logits_BTK, targets_BT in zip(guesses.logits, guesses.targets, strict=True):
            total = total + functional.cross_entropy(
                logits_BTK.float().flatten(0, 1),
                targets_BT.flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
            count = count + (targets_BT != IGNORED).sum()
        return Loss(total=total, count=count)

    def condition_of(self, batch: Batch) -> Condition | None:
        """Return what the rows of a batch are told."""
        if self.config.condition == TEXT:
            assert batch.text is not None
            return text_condition(batch.text, batch.tokens[self.stream.name].device)
        if not self.config.condition:
            return None
        name = self.condition.name
        return Condition(ids=batch.tokens[name], lengths=batch.token_lengths[name])


def _find(name: str, data: DataFacts, setting: str) -> TokenizerFacts:
    if name not in data.streams:
        asked = f"no stream {name!r}" if name else "no token stream"
        there = ", ".join(sorted(data.streams)) or "none"
        raise UsageError(
            f"token-lm: the dataset has {asked}; there are: {there}; give --set {setting}=NAME, or"
            " prepare it with --tokenizer"
        )
    return data.streams[name]
