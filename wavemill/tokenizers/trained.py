"""Models that `wavemill train` made: a run's folder, or a file of weights with its JSON beside it.

RUN/run.json                                         the recipe and its settings
    checkpoints/step-000000500/model.safetensors     weights
                               checkpoint.json       its digest, and the loss on what is held out
FILE.safetensors, FILE.json                          the same of one model alone
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from wavemill import storage
from wavemill.digest import sha256
from wavemill.errors import UsageError
from wavemill.tokenizers.checkpoints import read_tensors

RUN, CHECKPOINTS = "run.json", "checkpoints"
MODEL, CHECKPOINT = "model.safetensors", "checkpoint.json"
STEP = re.compile(r"step-(\d{9,})")


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What was read."""

    url: str
    """Of the weights, for messages."""
    settings: dict[str, Any]
    """Of the recipe."""
    tensors: dict[str, Tensor]


def read_trained(model: str, recipe: str, *, best: bool) -> TrainedModel:
    """Read a model that a recipe trained.

    Args:
        model: a run's folder, or a `.safetensors` file.
        recipe: whose it is to be.
        best: of a run, take the checkpoint of the least loss on held-out data, not the last one.

    Raises:
        UsageError: there is none, it is damaged, or another recipe's.

    """
    if storage.is_folder(model):
        settings = _settings(storage.join(model, RUN), recipe)
        url, digest = _checkpoint(storage.join(model, CHECKPOINTS), best=best)
        if digest != sha256(storage.read_bytes(url)):
            raise UsageError(f"{url} is not as it was written; give another run, or go on with it")
    else:
        url = model
        if not (storage.exists(url) and url.endswith(".safetensors")):
            raise UsageError(
                f"{recipe}: there is no run and no .safetensors file {url}; `wavemill train"
                f" {recipe}` makes a run"
            )
        settings = _settings(url.removesuffix(".safetensors") + ".json", recipe)
    return TrainedModel(url=url, settings=settings, tensors=read_tensors(url))


def _settings(url: str, recipe: str) -> dict[str, Any]:
    try:
        content = json.loads(storage.read_bytes(url))
        if content["recipe"] != recipe:
            raise UsageError(f"{url} is of recipe {content['recipe']}, not of {recipe}")
        return dict(content["config"])
    except FileNotFoundError as error:
        raise UsageError(f"{recipe}: there is no {url}, which says what was trained") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{url} is damaged ({error!r}); train it anew") from error


def _checkpoint(folder: str, *, best: bool) -> tuple[str, str]:
    """Return the last whole checkpoint's weights, or the best one's, and their digest."""
    found = {}
    for name in storage.list_names(folder):
        place = storage.join(folder, name)
        if STEP.fullmatch(name) and storage.is_file(storage.join(place, CHECKPOINT)):
            content = json.loads(storage.read_bytes(storage.join(place, CHECKPOINT)))
            loss = content.get("held_out_loss")
            found[name] = (loss, storage.join(place, MODEL), content["files"][MODEL])
    if not found:
        raise UsageError(f"{folder} has no whole checkpoint yet; go on with `wavemill train`")
    known = {name: one[0] for name, one in found.items() if one[0] is not None}
    chosen = min(known, key=lambda name: (known[name], name)) if best and known else max(found)
    return found[chosen][1:]
