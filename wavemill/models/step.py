"""One training step: what the training loop runs, and what is measured for it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wavemill.digest import digest_number
from wavemill.loader.batch import Batch
from wavemill.models.ranks import Ranks, sum_over_ranks
from wavemill.models.recipe import Loss, Recipe, Turn
from wavemill.models.training.schedule import rate
from wavemill.models.training.settings import MAX_STEPS, TrainSettings
from wavemill.tokenizers.device import PRECISIONS

LOSS, NORM = "loss", "grad_norm"
LATE = MAX_STEPS
"""The number of a step at which all of a recipe's turns are taken, for measuring."""


class Stepper:
    """A model in training: its optimizers, and what one step does."""

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        settings: TrainSettings,
        *,
        device: str = "cpu",
        ranks: Ranks | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the optimizers.

        Args:
            recipe: that made the model.
            model: on the device.
            settings: of the training.
            device: `cpu`, `cuda` or `cuda:1`.
            ranks: that train together; this process alone if None.
            watch: is called between each forward pass and its backward pass.

        """
        self.model, self.turns = model, recipe.turns
        self._recipe, self._settings = recipe, settings
        self._kind = device.split(":", 1)[0]
        self._ranks, self._watch = ranks or Ranks(), watch
        self.optimizers = {
            turn.name: make_optimizer(model.get_submodule(turn.part), settings)
            for turn in self.turns
        }
        whole = torch.compile(model, dynamic=True) if settings.compile else model
        self._called = self._ranks.wrap(whole, partly=len(self.turns) > 1)  # type: ignore[arg-type]

    def step(self, number: int, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Move the weights by some batches, each of which adds to the gradient.

        Args:
            number: of the step, from 0: it decides the learning rate, and what is drawn.
            batches: of this rank, on the device.

        Returns:
            Means over all ranks, scalars on the device: of each turn the loss, its parts, and the
            norm of the gradient before it was clipped.

        """
        found: dict[str, Tensor] = {}
        for turn in self._recipe.turns_at(number):
            head = f"{turn.name}/" if len(self.turns) > 1 else ""
            for name, value in self._take(turn, number, batches).items():
                found[head + name] = value
        self._recipe.after_step(self.model)
        return found

    def validate(self, batches: Iterator[Batch]) -> dict[str, float]:
        """Return the means of the last turn's loss and its parts over other batches."""
        turn, sums = self.turns[-1], None
        self.model.eval()
        with torch.no_grad():
            for number, batch in enumerate(batches):
                self._seed(number, 0)
                with self._autocast():
                    added = _sums(turn.loss(self.model, batch))
                sums = added if sums is None else _added(sums, added)
        self.model.train()
        if sums is None:
            return {}
        names = sorted(sums)
        means = _means(sum_over_ranks(torch.stack([sums[name] for name in names])), names)
        return {name: float(value) for name, value in means.items()}

    def _take(self, turn: Turn, number: int, batches: Sequence[Batch]) -> dict[str, Tensor]:
        optimizer, sums = self.optimizers[turn.name], None
        for place, batch in enumerate(batches):
            # What is drawn depends on the batch, not on which rank has it.
            self._seed(number, self._ranks.rank * len(batches) + place)
            is_last = place + 1 == len(batches)
            with contextlib.nullcontext() if is_last else self._unsynchronized():
                with self._autocast():
                    loss = turn.loss(self._called, batch)
                self._watch()
                loss.total.backward()
            added = _sums(loss)
            sums = added if sums is None else _added(sums, added)
        assert sums is not None
        names = sorted(sums)
        whole = sum_over_ranks(torch.stack([sums[name] for name in names]))
        weights = [
            weight for weight in self.model.get_submodule(turn.part).parameters()
            if weight.grad is not None
        ]  # fmt: skip
        # Ranks averaged the gradients of their sums: here they become those of the mean.
        scale = self._ranks.world_size / whole[names.index(COUNT)].clamp(min=1)
        torch._foreach_mul_([weight.grad for weight in weights], scale)  # type: ignore[misc]
        norm = nn.utils.clip_grad_norm_(weights, self._settings.max_norm)
        self._set_rate(optimizer, number, turn.learning_rate)
        optimizer.step()
        self.model.zero_grad(set_to_none=True)
        return {**_means(whole, names), NORM: norm.detach()}

    def _set_rate(self, optimizer: torch.optim.Optimizer, number: int, times: float) -> None:
        settings = self._settings
        share = rate(settings.schedule, number, settings.warmup, settings.steps)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * times * share

    def _seed(self, number: int, place: int) -> None:
        torch.manual_seed(digest_number(f"{self._settings.seed} {number} {place}") % 2**63)

    def _autocast(self) -> torch.autocast:
        dtype = PRECISIONS[self._settings.precision]
        return torch.autocast(self._kind, dtype, enabled=dtype != torch.float32)

    def _unsynchronized(self) -> contextlib.AbstractContextManager[None]:
        if self._ranks.world_size == 1:
            return contextlib.nullcontext()
        return self._called.no_sync()  # type: ignore[no-any-return,operator]


COUNT = "count"


def _sums(loss: Loss) -> dict[str, Tensor]:
    parts = {LOSS: loss.total, COUNT: loss.count, **loss.parts}
    return {name: value.detach().float() for name, value in parts.items()}


def _added(sums: dict[str, Tensor], added: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value + added[name] for name, value in sums.items()}


def _means(whole: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    count = whole[names.index(COUNT)].clamp(min=1)
    means = (whole / count).unbind()
    return {name: mean for name, mean in zip(names, means, strict=True) if name != COUNT}


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """Make the optimizer. The fused kernel keeps two numbers a weight and needs no room beside."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in weights if weight.dim() > 1]},
        {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )


def allocate_state(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Have optimizers allocate their state, as their first step does."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.zeros_like(weight)
        optimizer.step()
    model.zero_grad(set_to_none=True)
