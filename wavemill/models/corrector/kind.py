"""What a corrector of any kind has to do: the recipe asks it, and so does `wavemill correct`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import nn

from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.records import Utterance
from wavemill.models.recipe import Loss


class Kind(Protocol):
    """A model that corrects; made of the recipe's settings. See `Recipe` for the first four."""

    def build(self) -> nn.Module:
        """Make the model, with random weights or those it is based on."""
        ...

    def begin(self, model: nn.Module, batches: Iterator[HypothesesBatch]) -> None:
        """Give a new model what it is not to learn by gradients."""
        ...

    def loss(self, model: nn.Module, batch: HypothesesBatch) -> Loss:
        """Return the loss of a batch; calls the model once."""
        ...

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return files of a trained model for others."""
        ...

    def correct(
        self, model: nn.Module, utterances: Sequence[Utterance], *, only_heard: bool
    ) -> list[str]:
        """Return a text for each utterance, all of which have hypotheses.

        Args:
            model: trained, in evaluation mode.
            utterances: what is made of one does not depend on the others.
            only_heard: write no word that is in none of the utterance's hypotheses.

        """
        ...
