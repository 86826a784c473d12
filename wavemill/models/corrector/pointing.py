"""The kind `pointer`; see `Kind` and `pointer.py`."""

from collections.abc import Iterator, Mapping, Sequence

from torch import nn

from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.records import Utterance
from wavemill.models.corrector.pointer import PointerModel, pointer_loss
from wavemill.models.corrector.settings import CorrectorConfig
from wavemill.models.recipe import Loss


class Pointer:
    """Chooses among words."""

    def __init__(self, config: CorrectorConfig) -> None:
        """Take settings."""
        self._config = config

    def build(self) -> nn.Module:
        """Make the model."""
        return PointerModel(self._config)

    def begin(self, model: nn.Module, batches: Iterator[HypothesesBatch]) -> None:
        """Count the words that it knows by heart."""
        assert isinstance(model, PointerModel)
        model.learn_words(batches)

    def loss(self, model: nn.Module, batch: HypothesesBatch) -> Loss:
        """Return the loss over columns."""
        return pointer_loss(model, batch)

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """There is nothing for others."""
        del model
        return {}

    def correct(
        self, model: nn.Module, utterances: Sequence[Utterance], *, only_heard: bool
    ) -> list[str]:
        """Return the likeliest text of each utterance."""
        assert isinstance(model, PointerModel)
        return [model.correct(one, only_heard=only_heard) for one in utterances]
