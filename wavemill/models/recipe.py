"""The recipe contract: what a model needs of a dataset, how it is built, and its loss.

A recipe knows no loop, no device, no rank and no file: the same one trains on a cluster, on a
laptop, and on tensors without memory when its batches are sized.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from wavemill.loader.batch import Batch
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a recipe may know of a dataset before it sees a batch."""

    streams: Mapping[str, TokenizerFacts]
    """By name."""
    has_audio: bool
    """Whether audio is stored beside the tokens."""
    has_hypotheses: bool = False
    """Whether it is a folder of hypotheses, and no prepared dataset."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What has to be in a recipe's batches."""

    streams: tuple[str, ...] = ()
    sample_rate: int | None = None
    """In Hz, of the audio; None where none is heard."""
    text: bool = False
    """Texts, and with them lhotse's cuts, which hold all else that the input said of a sample."""
    hypotheses: bool = False
    """Utterances with hypotheses and references (`HypothesesBatch`), and nothing else of these."""
    crop_seconds: float | None = None
    """Pieces of at most so many seconds, drawn at random, in place of whole samples."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a batch loses: a sum, and of how many things, so that batches of any sizes add up.

    The loss of a step is the sum over its batches on all ranks, divided by the sum of the counts.
    """

    total: Tensor
    """Scalar, float32, with its gradient."""
    count: Tensor
    """Scalar: of tokens, frames or samples, whatever `total` is a sum over."""
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    """Sums over the same things to be logged beside it, without gradients: scalars by name."""

    @property
    def mean(self) -> Tensor:
        """The loss of the batch alone."""
        return self.total / self.count.clamp(min=1)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One of the things that are done with each step's batches: a loss, and whose weights it moves.

    Most recipes have one. Those with an adversary have two, each with an optimizer of its own.
    """

    name: str
    loss: Callable[[nn.Module, Batch], Loss]
    """Calls the model once."""
    part: str = ""
    """The submodule whose weights it moves, by its dotted name; the whole model if empty."""
    learning_rate: float = 1.0
    """Times that of the settings."""


class Recipe(ABC):
    """A model and its loss. Made of its settings and the dataset's facts by `table.make_recipe`.

    What it is made of decides all sizes: `build` gives the same module each time, but for its
    random weights. Nothing in a loss may read a tensor's values (`.item()`, `nonzero`, `tolist`):
    that would wait for the GPU at every step, and tensors without memory have none. What is drawn
    is drawn from torch's own generator, which the loop seeds by the step and the batch: so a run
    that goes on, and one on other ranks, draws the same.
    """

    about: ClassVar[str]
    """What it is, in a line."""
    presets: ClassVar[Mapping[str, Any]]
    """Settings by name: `small` trains in minutes on two cores, `paper` is the published size."""
    training: ClassVar[Mapping[str, TrainSettings]]
    """How each preset is trained."""
    config: Any
    """The settings that it was made of, a dataclass."""
    needs: Needs

    @abstractmethod
    def build(self) -> nn.Module:
        """Make the model, with random weights on torch's default device."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the loss of a batch.

        Args:
            model: what `build` made, maybe wrapped for several ranks: it is called once.
            batch: of what the recipe needs, on the model's device; what is padded holds anything.

        """

    def begin(self, model: nn.Module, batches: Iterator[Batch]) -> None:
        """Give a new model what it is not to learn by gradients, such as a codebook's first words.

        It is not called for a run that goes on, or begins with another's weights.

        Args:
            model: what `build` made, on its device.
            batches: of the data, on the device, an epoch of them; the same ones on all ranks.

        Raises:
            JobError: the data does not suffice, or is of another kind.

        """
        del model, batches

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What is done with a step's batches, in this order."""
        return (Turn(name="model", loss=self.loss),)

    def turns_at(self, step: int) -> tuple[Turn, ...]:
        """Return what is done at a step, which counts from 0: `turns`, some, or other losses.

        Names and parts are those of `turns`. Batches are sized by a late step.
        """
        del step
        return self.turns

    def after_step(self, model: nn.Module) -> None:
        """Change what has no gradients once a step is done, such as averages of weights.

        Args:
            model: what `build` made. Sums over a step's batches are kept in buffers of its own and
                added up here by `ranks.sum_over_ranks`, so that all ranks stay alike.

        """
        del model

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return files of a trained model for others than this room, by name.

        They are put into the run's folder once its last step is done.
        """
        del model
        return {}
