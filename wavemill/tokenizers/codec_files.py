"""Codecs of transformers, loaded from the hub's folders or from the authors' own files."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.checkpoints import (
    digest_tensors,
    find_model,
    quiet_transformers,
    read_checkpoint,
)
from wavemill.tokenizers.codec_layouts import Layout
from wavemill.tokenizers.device import Place

HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
HUB_INDEX = "model.safetensors.index.json"
NOT_OF_THE_MODEL = ("_name_or_path", "architectures", "dtype", "transformers_version")
"""Of a config.json: says who wrote the file, and changes no token."""


@dataclass(frozen=True, kw_only=True)
class CodecClass:
    """What transformers calls a codec, and how its authors' files are read."""

    name: str
    """Of the tokenizer, and what transformers calls its `model_type`."""
    model: str
    config: str
    convert: Callable[[Mapping[str, Any]], Layout] | None = None
    """From the authors' checkpoint; raises ValueError if it is another's."""


def load_codec(codec: CodecClass, model: str, place: Place) -> Any:
    """Load a codec in float32, ready to encode, its weight normalisation folded into the weights.

    Args:
        codec: which.
        model: a name on the hub, a folder as the hub has it, or one of the authors' files.
        place: where it shall run.

    Raises:
        UsageError: transformers is missing, there is no such model, or it is another codec's.

    """
    transformers = require("transformers", "codecs", codec.name)
    found = find_model(model, codec.name)
    if Path(found).is_dir():
        settings, state = _read_folder(codec, found)
    else:
        settings, state = _read_file(codec, found)
    with quiet_transformers(transformers):
        loaded, report = _build(transformers, codec, found, settings, state)
    _check_report(codec, found, report)
    return _folded(loaded.eval().requires_grad_(requires_grad=False)).to(place.device)


def digest_codec(model: Any) -> str:
    """Digest a loaded codec: its weights, and what its configuration says other than the defaults.

    The same weights have one digest, from the hub's folder or from the authors' file.
    """
    settings = model.config.to_diff_dict()
    kept = {key: value for key, value in settings.items() if key not in NOT_OF_THE_MODEL}
    return digest({"weights": digest_tensors(model.state_dict()), "settings": kept})


def _read_folder(codec: CodecClass, folder: str) -> Layout:
    place = storage.join(folder, "config.json")
    try:
        settings: Any = json.loads(storage.read_bytes(place))
    except FileNotFoundError as error:
        raise UsageError(f"{codec.name}: no {place}: give a folder as the hub has it") from error
    except ValueError as error:
        raise UsageError(f"{codec.name}: {place} is not JSON: {error}") from error
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    if kind != codec.name:
        raise UsageError(f"{codec.name}: {place} is of model_type {kind!r}, not {codec.name!r}")
    return settings, _folder_tensors(codec, folder)


def _folder_tensors(codec: CodecClass, folder: str) -> dict[str, Tensor]:
    for name in HUB_WEIGHTS:
        if (Path(folder) / name).exists():
            return _tensors(read_checkpoint(storage.join(folder, name)))
    index = Path(folder) / HUB_INDEX
    if not index.exists():
        raise UsageError(f"{codec.name}: {folder} has no {' or '.join(HUB_WEIGHTS)}")
    shards = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    parts = [_tensors(read_checkpoint(storage.join(folder, Path(name).name))) for name in shards]
    return {name: tensor for part in parts for name, tensor in part.items()}


def _read_file(codec: CodecClass, place: str) -> Layout:
    if codec.convert is None:
        raise UsageError(f"{codec.name}: {place} is a file: give a folder as the hub has it")
    checkpoint = read_checkpoint(place)
    try:
        return codec.convert(checkpoint)
    except ValueError as error:
        raise UsageError(
            f"{codec.name}: {place} is not the authors' checkpoint: {error}"
        ) from error


def _tensors(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: part for name, part in checkpoint.items() if isinstance(part, Tensor)}


def _build(
    transformers: Any, codec: CodecClass, place: str, settings: dict[str, Any], state: Any
) -> tuple[Any, dict[str, Any]]:
    try:
        config = getattr(transformers, codec.config).from_dict(settings)
        built: tuple[Any, dict[str, Any]] = getattr(transformers, codec.model).from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:  # transformers raises what its parts do
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{codec.name}: {place} cannot be loaded: {words}") from error
    return built


def _check_report(codec: CodecClass, place: str, report: dict[str, Any]) -> None:
    """Refuse a checkpoint that is not wholly this model's: the rest would be random."""
    mismatched = [name for name, *_ in report["mismatched_keys"]]
    problems = {
        "missing": report["missing_keys"],
        "of another shape": mismatched,
        "unknown": report["unexpected_keys"],
    }
    for problem, names in problems.items():
        if names:
            raise UsageError(
                f"{codec.name}: {place} is not a checkpoint of {codec.model}:"
                f" {len(names)} tensors are {problem}, such as {min(names)}; give {codec.name}'s"
                " own, whole"
            )


def _folded(model: Any) -> Any:
    """Work out weights from their parametrization once, and not at each call."""
    for module in list(model.modules()):
        if isinstance(module, nn.Module) and parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return model
