"""Checkpoints: folders of safetensors, each whole once its `checkpoint.json` is there.

checkpoints/step-000000500/model.safetensors        weights and buffers
                           optimizer.safetensors    of each turn, by the weights' names
                           checkpoint.json          the step, the loader's state, digests
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from wavemill import storage
from wavemill.digest import sha256
from wavemill.errors import JobError
from wavemill.tokenizers.trained import CHECKPOINT, MODEL, STEP

FORMAT = 1
OPTIMIZER = "optimizer.safetensors"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One that was read, and is whole."""

    step: int
    """How many steps were done."""
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]
    """What else was saved with it."""


class Checkpoints:
    """The checkpoints of a run."""

    def __init__(self, folder: str, keep: int = 2) -> None:
        """Say where they are, and how many of the last ones stay."""
        self._folder, self._keep = folder, keep

    def steps(self) -> list[int]:
        """Return the steps of those that are whole, in order."""
        found = [STEP.fullmatch(name) for name in storage.list_names(self._folder)]
        steps = sorted(int(match[1]) for match in found if match)
        return [
            step for step in steps if storage.is_file(storage.join(self._place(step), CHECKPOINT))
        ]

    def save(
        self,
        step: int,
        model: Mapping[str, Tensor],
        optimizer: Mapping[str, Tensor],
        state: Mapping[str, Any],
    ) -> None:
        """Write a checkpoint; once it is whole, older ones go, but for the best.

        Raises:
            JobError: it cannot be written; those before it stay.

        """
        place = self._place(step)
        digests = {
            name: _write(storage.join(place, name), tensors)
            for name, tensors in ((MODEL, model), (OPTIMIZER, optimizer))
        }
        content = {"format": FORMAT, "step": step, "files": digests, **state}
        storage.write_text(storage.join(place, CHECKPOINT), [json.dumps(content, indent=1)])
        self._prune()

    def load_last(self, say: Callable[[str], None]) -> Checkpoint | None:
        """Read the last one that is whole and undamaged; None if there is none.

        Args:
            say: is told of those that are damaged.

        """
        for step in reversed(self.steps()):
            try:
                return self.load(step)
            except JobError as error:
                say(f"{error}; going on from the one before it")
        return None

    def load(self, step: int) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            JobError: it is damaged.

        """
        place = self._place(step)
        try:
            content = json.loads(storage.read_bytes(storage.join(place, CHECKPOINT)))
            if content["format"] != FORMAT:
                raise JobError(f"{place} is of another version of wavemill; start anew")
            tensors = [
                _read(storage.join(place, name), content["files"][name])
                for name in (MODEL, OPTIMIZER)
            ]
            return Checkpoint(
                step=int(content["step"]), model=tensors[0], optimizer=tensors[1], state=content
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JobError(f"the checkpoint {place} is damaged ({error})") from error

    def best(self) -> int | None:
        """Return the step with the least loss on what is held out; None where none was."""
        losses = {step: self._held_out_loss(step) for step in self.steps()}
        known = {step: loss for step, loss in losses.items() if loss is not None}
        return min(known, key=lambda step: (known[step], step), default=None)

    def _held_out_loss(self, step: int) -> float | None:
        try:
            content = json.loads(storage.read_bytes(storage.join(self._place(step), CHECKPOINT)))
            loss = content.get("held_out_loss")
        except (OSError, ValueError, AttributeError):
            return None
        return float(loss) if isinstance(loss, int | float) else None

    def _prune(self) -> None:
        steps = self.steps()
        kept = {*steps[-self._keep :], self.best()}
        for step in steps:
            if step not in kept:
                self._remove(step)

    def remove(self) -> None:
        """Remove all of them."""
        for step in self.steps():
            self._remove(step)

    def _remove(self, step: int) -> None:
        # What makes it whole goes first.
        storage.remove(storage.join(self._place(step), CHECKPOINT))
        storage.remove(self._place(step))

    def _place(self, step: int) -> str:
        return storage.join(self._folder, f"step-{step:09d}")


def _write(place: str, tensors: Mapping[str, Tensor]) -> str:
    data = safetensors.torch.save(_apart(tensors))
    storage.write_bytes(place, data)
    return sha256(data)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring tensors to the CPU; safetensors takes no two that share memory."""
    apart, seen = {}, set()
    for name, value in tensors.items():
        own = value.detach().cpu().contiguous()
        address = own.untyped_storage().data_ptr()
        apart[name] = own.clone() if address in seen else own
        seen.add(address)
    return apart


def _read(place: str, digest: str) -> dict[str, Tensor]:
    data = storage.read_bytes(place)
    if sha256(data) != digest:
        raise ValueError(f"{place} is not as it was written")
    found: dict[str, Tensor] = safetensors.torch.load(data)
    return found


def load_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put weights into a model.

    Raises:
        JobError: they are of another one.

    """
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise JobError(f"the weights are of another model: {first}") from error


def optimizer_tensors(
    model: nn.Module, optimizers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Return the state of optimizers by names that do not depend on the order of weights."""
    names: dict[Tensor, str] = {weight: name for name, weight in model.named_parameters()}
    return {
        f"{turn}/{names[weight]}/{key}": value
        for turn, optimizer in optimizers.items()
        for weight, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_optimizers(
    model: nn.Module,
    optimizers: Mapping[str, torch.optim.Optimizer],
    tensors: Mapping[str, Tensor],
) -> None:
    """Put states back that `optimizer_tensors` gave.

    Raises:
        JobError: they are of another model or other optimizers.

    """
    weights = dict(model.named_parameters())
    for name, value in tensors.items():
        turn, weight, key = name.split("/")
        if turn not in optimizers or weight not in weights:
            raise JobError(f"the checkpoint has a state of {name}, which this recipe has not")
        # Counts of steps stay on the CPU or go with the weights as the fused kernel wants them.
        device = weights[weight].device
        optimizers[turn].state[weights[weight]][key] = value.to(device)
