"""The memory of a training step on a GPU, by running it there until memory runs out."""

import gc

import torch

from wavemill.errors import JobError
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.step import LATE, Stepper, allocate_state
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.training.settings import TrainSettings

DEVICE = "cuda"
STEPS = 2
"""The second meets the memory as the first has left it."""


class CudaMeter:
    """Runs steps of one recipe on the current GPU, which should have nothing else to do."""

    def __init__(
        self, recipe: Recipe, data: DataFacts, *, precision: str, world_size: int, limit: int
    ) -> None:
        """Build the model and the state of its optimizer there.

        Args:
            recipe: whose steps are run.
            data: what is known of the dataset.
            precision: of the steps.
            world_size: ranks; of several, room is kept for DDP's copy of the gradients.
            limit: bytes that torch may take of the GPU.

        Raises:
            JobError: the GPU has less memory than that, or the model alone does not fit.

        """
        total = torch.cuda.get_device_properties().total_memory
        if limit > total:
            raise JobError(
                f"this GPU has {total / 1e9:.1f} GB; give less --memory-gb, or --device cpu to"
                " predict for another one"
            )
        torch.cuda.set_per_process_memory_fraction(limit / total)
        self._needs, self._data = recipe.needs, data
        self.allocated = 0
        """The most bytes that tensors had in the last step; what torch took of the GPU is more."""
        try:
            with torch.device(DEVICE):
                self._model = recipe.build()
            settings = TrainSettings(precision=precision)
            self._stepper = Stepper(recipe, self._model, settings, device=DEVICE)
            allocate_state(self._model, list(self._stepper.optimizers.values()))
            weights = self._model.parameters() if world_size > 1 else ()
            self._copies = [torch.empty_like(weight) for weight in weights]
        except torch.OutOfMemoryError as error:
            raise JobError(
                "the model and its optimizer do not fit in --memory-gb; give more, or a smaller"
                " model with --preset or --set"
            ) from error

    def measure(self, extent: Extent, size: int) -> int | None:
        """Return the bytes that torch took of the GPU; None where memory ran out."""
        torch.cuda.reset_peak_memory_stats()
        ran = self._runs(extent, size)
        peak = torch.cuda.max_memory_reserved()
        self.allocated = torch.cuda.max_memory_allocated()
        self._model.zero_grad(set_to_none=True)
        gc.collect()
        torch.cuda.empty_cache()
        return peak if ran else None

    def _runs(self, extent: Extent, size: int) -> bool:
        try:
            with torch.device(DEVICE):
                batch = make_batch(self._needs, self._data, extent, size)
            for number in range(STEPS):
                self._stepper.step(LATE + number, [batch])
            torch.cuda.synchronize()
        except torch.OutOfMemoryError:
            return False
        return True
