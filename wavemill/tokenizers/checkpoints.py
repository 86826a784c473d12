"""Checkpoints: found, opened safely, and digested.

Nothing in a file is run: `.safetensors` holds tensors alone, and of a pickle only tensors and plain
values are taken (`weights_only=True`).
"""

import io
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.packages import require


@contextmanager
def quiet_transformers(transformers: Any) -> Iterator[None]:
    """Keep the package's progress bar and table of keys to itself: our own checks say it."""
    logging = transformers.utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def find_model(model: str, what: str) -> str:
    """Find a model: a local file or folder, or the name of one on the Hugging Face hub.

    Returns:
        A local path. A hub's model is downloaded into the hub's own cache, where workers find it.

    Raises:
        UsageError: there is neither.

    """
    if Path(model).exists():
        return model
    if not _is_hub_name(model):
        raise UsageError(f"{what}: there is no file or folder {model}")
    hub = require("huggingface_hub", "codecs", what)
    try:
        patterns = ["*.json", "*.safetensors", "*.bin", "*.pt", "*.pth", "*.th", "*.ckpt", "*.txt"]
        return str(hub.snapshot_download(model, allow_patterns=patterns))
    except Exception as error:  # the hub raises what its transport does
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{what}: {model} is neither a file or folder here nor can it be had from the hub"
            f" ({words}); download it and give its folder"
        ) from error


def _is_hub_name(model: str) -> bool:
    parts = model.split("/")
    return len(parts) == 2 and all(parts) and not model.startswith((".", "~"))


def read_tensors(url: str) -> dict[str, Tensor]:
    """Read all tensors of a `.safetensors` file, or of a pickle's state dict or top-level mapping.

    Raises:
        UsageError: there is no such file, it is broken, or reading it would run code.

    """
    state = read_checkpoint(url)
    return {name: part for name, part in state.items() if isinstance(part, Tensor)}


def read_checkpoint(url: str) -> Mapping[str, Any]:
    """Read a checkpoint that is a mapping, with whatever plain values stand beside its tensors.

    Raises:
        UsageError: there is no such file, it is broken, or reading it would run code.

    """
    try:
        data = storage.read_bytes(url)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"there is no checkpoint {url}") from error
    if url.endswith(".safetensors"):
        try:
            return safetensors.torch.load(data)
        except safetensors.SafetensorError as error:
            raise UsageError(
                f"{url} is not a safetensors file: {error}; if it was cut short, fetch it again"
            ) from error
    state = _unpickle(url, data)
    if not isinstance(state, Mapping):
        raise UsageError(f"{url} holds no state dict but a {type(state).__name__}")
    return state


def _unpickle(url: str, data: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{url} holds more than tensors, and reading that would run code: save its"
            " state_dict() alone, or as safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        words = (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise UsageError(
            f"{url} is not a file that torch.save wrote: {words}; if it was cut short, fetch it"
            " again"
        ) from error


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Digest names, types, shapes and values, in whatever file and order they came."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    return digest(
        {
            name: [str(array.dtype), list(array.shape), digest(array.tobytes())]
            for name, array in arrays.items()
        }
    )
