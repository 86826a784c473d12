"""The recipe contract: what a model needs of a dataset, how it is built, and its loss.

A recipe knows no loop, no device, no rank and no file: the same one trains on a cluster, on a
laptop, and on tensors without memory when its batches are sized.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from wavemill.loader.batch import Batch
from wavemill.tokenizers.base import TokenizerFacts


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a recipe may know of a dataset before it sees a batch."""

    streams: Mapping[str, TokenizerFacts]
    """By name."""
    has_audio: bool
    """Whether audio is stored beside the tokens."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What has to be in a recipe's batches."""

    streams: tuple[str, ...] = ()
    sample_rate: int | None = None
    """In Hz, of the audio; None where none is heard."""


class HasLoss(Protocol):
    """What a training step needs of a recipe."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Args:
            model: what `Recipe.build` made, maybe wrapped for several ranks: it is called once.
            batch: of what the recipe needs, on the model's device; what is padded holds anything.

        """
        ...


class Recipe(HasLoss, Protocol):
    """A model and its loss. Made of its settings and the dataset's facts by `table.make_recipe`.

    What it is made of decides all sizes: `build` gives the same module each time, but for its
    random weights. Nothing in `loss` may read a tensor's values (`.item()`, `nonzero`, `tolist`):
    that would wait for the GPU at every step, and tensors without memory have none.
    """

    about: ClassVar[str]
    """What it is, in a line."""
    presets: ClassVar[Mapping[str, Any]]
    """Settings by name: `small` trains in minutes on two cores, `paper` is the published size."""
    needs: Needs

    def build(self) -> nn.Module:
        """Make the model, with random weights on torch's default device."""
        ...
