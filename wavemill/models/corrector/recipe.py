"""`corrector`: from several hypotheses to one text.

`small` is a pointer (`pointer.py`), which learns of some hundred utterances; `writer` an encoder
and a decoder (`writer.py`), which take many; `lora` adapts a causal language model (`lora.py`) with
the settings of HyPoradise (https://arxiv.org/abs/2309.15701).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from torch import nn

from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.loader.batch import Batch
from wavemill.models.asr.spelling import content_of
from wavemill.models.corrector.kind import Kind
from wavemill.models.corrector.lora import Lora
from wavemill.models.corrector.pointing import Pointer
from wavemill.models.corrector.settings import LORA, POINTER, WRITER, CorrectorConfig
from wavemill.models.corrector.writer import Writer
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.training.settings import TrainSettings

KINDS: dict[str, Callable[[CorrectorConfig], Kind]] = {
    LORA: Lora,
    POINTER: Pointer,
    WRITER: Writer,
}


class CorrectorRecipe(Recipe):
    """The recipe."""

    about: ClassVar = "correction of a recognizer's hypotheses"
    presets: ClassVar[Mapping[str, CorrectorConfig]] = {
        "small": CorrectorConfig(),
        "writer": CorrectorConfig(model=WRITER, width=256, dropout=0.1),
        "lora": CorrectorConfig(model=LORA, beam=4, dropout=0.05),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=300, batch_size=32, learning_rate=1e-2, warmup=20, validate_every=50
        ),
        "writer": TrainSettings(steps=20_000, batch_tokens=20_000, learning_rate=1e-3, warmup=500),
        # 10 epochs of the published data, in batches of 256.
        "lora": TrainSettings(
            steps=10_000,
            batch_size=4,
            batches=64,
            learning_rate=2e-4,
            schedule="linear",
            weight_decay=0.0,
            precision="bfloat16",
        ),
    }
    needs = Needs(hypotheses=True)

    def __init__(self, config: CorrectorConfig, data: DataFacts) -> None:
        """Read the vocabulary, if one is named.

        Raises:
            UsageError: it, or the language model, cannot be used.

        """
        del data
        self.config = replace(config, vocabulary=content_of(config.vocabulary))
        self.kind = KINDS[config.model](self.config)

    def build(self) -> nn.Module:
        """Make the model."""
        return self.kind.build()

    def begin(self, model: nn.Module, batches: Iterator[Batch]) -> None:
        """Give a new model what it is not to learn by gradients."""
        self.kind.begin(model, map(_with_hypotheses, batches))

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the loss of a batch, by the kind of model."""
        return self.kind.loss(model, _with_hypotheses(batch))

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return files for others than this room."""
        return self.kind.export(model)


def _with_hypotheses(batch: Batch) -> HypothesesBatch:
    assert isinstance(batch, HypothesesBatch)
    return batch
