"""The memory of a training step, foretold without a GPU: the step runs on tensors without data.

torch's fake tensors go through the same operations as real ones, forward, backward and optimizer,
and keep alive what those keep alive, so the peak of what is alive is that of a real step. It takes
no memory and, whatever the size of the batch, a few seconds at most.

Kernels are those that a CPU would choose. For attention that is the fused one, which saves its
inputs, its output and a number a row, as CUDA's fused kernels do. What libraries take for
themselves beside tensors (CUDA's context, workspaces of matrix products) is not counted.
"""

from dataclasses import dataclass

from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from wavemill.errors import JobError
from wavemill.models.memory.live import LiveBytes
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.step import LATE, Stepper, allocate_state
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.training.settings import TrainSettings

NEEDS_DATA = (DataDependentOutputException, DynamicOutputShapeException)


@dataclass(frozen=True, kw_only=True)
class StepBytes:
    """What a training step takes, in bytes."""

    weights: int
    """Parameters and buffers."""
    optimizer: int
    """Its state."""
    ranks: int
    """Buckets in which DDP sums gradients; 0 for one rank."""
    saved: int
    """What is kept for the backward pass, and the batch."""
    peak: int
    """The most that is alive at any moment, all of it."""


class Predictor:
    """Foretells the steps of one recipe; not thread-safe."""

    def __init__(
        self, recipe: Recipe, data: DataFacts, *, precision: str = "bfloat16", world_size: int = 1
    ) -> None:
        """Build the model, without data, and the state of its optimizer."""
        self._needs, self._data = recipe.needs, data
        self._live = LiveBytes()
        # Libraries keep constants of their own, such as torchaudio its smallest number.
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        with self._fake, self._live:
            self._model = recipe.build()
            self._weights = self._live.now
            settings = TrainSettings(precision=precision)
            self._stepper = Stepper(recipe, self._model, settings, watch=self._note)
            allocate_state(self._model, list(self._stepper.optimizers.values()))
        self._resting = self._live.now
        self._ranks = gradient_bytes(self._model) if world_size > 1 else 0

    def step_bytes(self, extent: Extent, size: int) -> StepBytes:
        """Return what a step takes with `size` samples, all as long as they may be."""
        self._live.restart()
        self._held = 0
        try:
            with self._fake, self._live:
                batch = make_batch(self._needs, self._data, extent, size)
                self._stepper.step(LATE, [batch])
        except NEEDS_DATA as error:
            raise JobError(
                f"the step cannot be predicted, since it asks for the values of tensors ({error});"
                " profile it on a machine with a GPU"
            ) from error
        return StepBytes(
            weights=self._weights,
            optimizer=self._resting - self._weights,
            ranks=self._ranks,
            saved=self._held - self._resting,
            peak=self._live.peak + self._ranks,
        )

    def _note(self) -> None:
        self._held = max(self._held, self._live.now)


def gradient_bytes(model: nn.Module) -> int:
    """Return what a copy of all gradients takes."""
    trained = (weight for weight in model.parameters() if weight.requires_grad)
    return sum(weight.nbytes for weight in trained)
