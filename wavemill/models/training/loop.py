"""The training loop: steps, what is logged of them, checkpoints, and how it goes on after a stop.

Nothing in a step waits for a GPU: losses stay on it until their rows are written. The order of the
batches is the loader's, and what is drawn is seeded by the step, so a checkpoint holds all that the
next step depends on.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from wavemill.errors import JobError
from wavemill.loader import Batch
from wavemill.models.ranks import Ranks
from wavemill.models.recipe import Recipe
from wavemill.models.step import LOSS, NORM, Stepper
from wavemill.models.training.checkpoints import (
    Checkpoint,
    Checkpoints,
    load_model,
    load_optimizers,
    optimizer_tensors,
)
from wavemill.models.training.data import Loader
from wavemill.models.training.log import Log
from wavemill.models.training.pace import Pace, words
from wavemill.models.training.settings import TrainSettings

HELD_OUT = "held_out/"
"""Before the names of what was measured on data that is not trained on."""

Show = Callable[[int, str], None]


@dataclass(kw_only=True)
class Outcome:
    """How a run ended."""

    steps: int
    """That were done, those of earlier runs too."""
    values: dict[str, float] = field(default_factory=dict)
    """Of the last step, and of the last validation."""
    is_stopped: bool = False
    """Whether it was asked to stop before its last step."""


class Trainer:
    """One run of the loop, on one rank."""

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        settings: TrainSettings,
        loader: Loader,
        *,
        validation: Loader | None = None,
        device: str = "cpu",
        ranks: Ranks | None = None,
    ) -> None:
        """Take what is trained, and on what.

        Args:
            recipe: that made the model.
            model: on the device.
            settings: of the training.
            loader: gives as many batches a step as the settings say, over all ranks.
            validation: gives what is held out.
            device: `cpu`, `cuda` or `cuda:1`.
            ranks: that train together.

        """
        self._settings, self._loader, self._validation = settings, loader, validation
        self._ranks = ranks or Ranks()
        self._stepper = Stepper(recipe, model, settings, device=device, ranks=self._ranks)
        self._pace = Pace(loader)
        self._model, self.step = model, 0
        self._state: Mapping[str, Any] | None = None
        self._pending: list[tuple[int, dict[str, Tensor]]] = []
        self._values: dict[str, float] = {}

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            JobError: it is of another model.
            UsageError: it is of other data.

        """
        load_model(self._model, checkpoint.model)
        load_optimizers(self._model, self._stepper.optimizers, checkpoint.optimizer)
        self._loader.load_state_dict(checkpoint.state["loader"])
        self.step = checkpoint.step

    def run(
        self,
        log: Log | None,
        checkpoints: Checkpoints | None,
        show: Show = lambda *_: None,
        stop: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Train to the last step.

        Args:
            log: of the first rank; None on others.
            checkpoints: likewise.
            show: takes how many steps were done, and a line of words.
            stop: says whether to save and end at the next step.

        Raises:
            JobError: a loss or a gradient is not finite, there is no data, a disk is full.

        """
        settings, batches = self._settings, self._pace.batches()
        while self.step < settings.steps:
            self._take(batches)
            done = self.step == settings.steps
            is_stopped = not done and self._agree_to_stop(stop)
            validates = done or self.step % settings.validate_every == 0
            saves = done or is_stopped or self.step % settings.save_every == 0
            if saves or validates or self.step % settings.log_every == 0:
                self._write(log, show)
            if validates and self._validation is not None:
                self._validate(self._validation, log)
            if saves and checkpoints is not None:
                self._save(checkpoints)
            if is_stopped:
                return Outcome(steps=self.step, values=self._values, is_stopped=True)
        return Outcome(steps=self.step, values=self._values)

    def _take(self, batches: Iterator[Batch]) -> None:
        count = (self._settings.batches or self._ranks.world_size) // self._ranks.world_size
        taken = list(islice(batches, count))
        if len(taken) < count:
            raise JobError(
                "the data gives not one step of batches; give more data, or smaller batches"
                " (--batch-seconds, --train batches=...)"
            )
        found = self._stepper.step(self.step, taken)
        self._state = taken[-1].state
        self.step += 1
        self._pending.append((self.step, found))

    def _agree_to_stop(self, stop: Callable[[], object]) -> bool:
        """Say whether any rank is to stop, at steps where all of them ask."""
        if self._ranks.world_size == 1:
            return bool(stop())
        if self.step % self._settings.log_every:
            return False
        wish = torch.tensor(float(bool(stop())), device=next(self._model.parameters()).device)
        torch.distributed.all_reduce(wish)
        return bool(wish)

    def _write(self, log: Log | None, show: Show) -> None:
        """Write the rows that wait, and make sure that all is finite."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        # One transfer for all: a GPU is waited for once.
        numbers = iter(
            torch.stack([value for _, found in pending for value in found.values()]).tolist()
        )
        rates = self._pace.take()
        for step, found in pending:
            values = dict(zip(found, numbers, strict=False))
            if log is not None:
                log.add(step, {**values, **(rates if step == self.step else {})})
            self._check(step, values, log)
            self._values |= values
        self._values |= rates
        if log is not None:
            log.flush()
        loss = next(value for name, value in self._values.items() if name.endswith(LOSS))
        show(self.step, words(loss, rates, self._ranks.world_size))

    def _check(self, step: int, values: Mapping[str, float], log: Log | None) -> None:
        for name, value in values.items():
            if not math.isfinite(value) and name.endswith((LOSS, NORM)):
                if log is not None:
                    log.flush()
                what = "loss" if name.endswith(LOSS) else "gradient"
                raise JobError(
                    f"the {what} of step {step} is not finite ({name} is {value}); the last"
                    " checkpoint is kept: lower --learning-rate, or look at the data of that step"
                )

    def _validate(self, loader: Loader, log: Log | None) -> None:
        loader.set_epoch(0)
        found = self._stepper.validate(iter(loader))
        values = {HELD_OUT + name: value for name, value in found.items()}
        self._values |= values
        if log is not None and values:
            log.add(self.step, values)
            log.flush()

    def _save(self, checkpoints: Checkpoints) -> None:
        checkpoints.save(
            self.step,
            self._model.state_dict(),
            optimizer_tensors(self._model, self._stepper.optimizers),
            {
                "loader": self._state,
                "held_out_loss": self._values.get(HELD_OUT + LOSS),
            },
        )
