"""A run: a folder with what is trained, on what, its log and its checkpoints.

RUN/run.json      the recipe, its settings, those of the training, facts of the data
    log.jsonl     a row a step
    tensorboard/  the same, for `tensorboard --logdir RUN`
    checkpoints/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wavemill import storage
from wavemill.errors import JobError
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.table import recipe_of
from wavemill.models.training.checkpoints import Checkpoints, load_model
from wavemill.models.training.settings import MAY_CHANGE
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.trained import CHECKPOINTS, RUN

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """A run that was read: a recipe, and the weights of its last or best checkpoint."""

    name: str
    recipe: Recipe
    step: int
    weights: dict[str, Tensor]

    def build(self, device: str = "cpu") -> nn.Module:
        """Make the model with its weights, ready to be run."""
        model = self.recipe.build()
        load_model(model, self.weights)
        return model.to(device).eval()


def load_run(folder: str, *, best: bool = False) -> TrainedRun:
    """Read a run that was trained.

    Args:
        folder: of the run.
        best: take the checkpoint of the least loss on held-out data, not the last one.

    Raises:
        JobError: it is no run, or has no whole checkpoint.

    """
    content = read_run(folder)
    try:
        data = DataFacts(
            streams={name: TokenizerFacts(**facts) for name, facts in content["facts"].items()},
            has_audio=content["has_audio"],
            has_hypotheses=content.get("has_hypotheses", False),
        )
        recipe = recipe_of(content["recipe"], content["config"], data)
    except (KeyError, TypeError, ValueError) as error:
        raise JobError(f"{folder}/{RUN} is damaged ({error!r}); train it anew") from error
    checkpoints = Checkpoints(storage.join(folder, CHECKPOINTS))
    chosen = checkpoints.best() if best else None
    found = (
        checkpoints.load(chosen) if chosen is not None else checkpoints.load_last(lambda _: None)
    )
    if found is None:
        raise JobError(f"{folder} has no whole checkpoint yet; go on with `wavemill train`")
    return TrainedRun(name=content["recipe"], recipe=recipe, step=found.step, weights=found.model)


def read_run(folder: str) -> dict[str, Any]:
    """Read a run's `run.json`.

    Raises:
        JobError: it is not there, or damaged.

    """
    place = storage.join(folder, RUN)
    try:
        content = json.loads(storage.read_bytes(place))
        if content["format"] != FORMAT:
            raise JobError(f"{place} is of another version of wavemill; train it anew")
    except FileNotFoundError as error:
        raise JobError(
            f"there is no run: {place} is not there; `wavemill train` makes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(f"{place} is damaged ({error!r}); train it anew") from error
    return dict(content)


def differences(known: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say in which settings that matter two runs differ, by what is in their `run.json`."""
    found = []
    for part in ("recipe", "config", "training", "facts"):
        before, after = known.get(part), now[part]
        if isinstance(before, dict) and part != "facts":
            found += [
                f"{name} was {before.get(name)}, is {value}"
                for name, value in after.items()
                if before.get(name) != value and not (part == "training" and name in MAY_CHANGE)
            ]
        elif before != after:
            found.append(f"{part} was {before}, is {after}" if part == "recipe" else "other data")
    if known.get("data", {}).get("digests") != now["data"]["digests"]:
        found.append("other data")
    return list(dict.fromkeys(found))
