"""A codec's published weights: the file in a folder, its state dict, and how it is taken in."""

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from wavemill import storage
from wavemill.errors import UsageError

SUFFIXES = (".safetensors", ".pth", ".pt", ".th", ".ckpt", ".bin")


def find_checkpoint(model: str, pattern: str, what: str) -> str:
    """Find the one checkpoint in a folder; a file is itself.

    Args:
        model: a file or folder.
        pattern: of the name that is meant where a folder has several checkpoints.
        what: the tokenizer, for the error.

    Raises:
        UsageError: there is no such file or folder, or it has no checkpoint, or several.

    """
    if not storage.is_folder(model):
        if not storage.exists(model):
            raise UsageError(f"{what}: there is no file or folder {model}")
        return model
    names = [name for name in storage.list_names(model) if name.endswith(SUFFIXES)]
    meant = [name for name in names if fnmatch(name, pattern)] or names
    if len(meant) != 1:
        found = ", ".join(sorted(meant)) or "none"
        raise UsageError(
            f"{what}: {model} must have one checkpoint ({', '.join(SUFFIXES)}); found {found}:"
            " give the file"
        )
    return storage.join(model, meant[0])


def inner_state(
    checkpoint: Mapping[str, Any], keys: tuple[str, ...], url: str
) -> dict[str, Tensor]:
    """Take the tensors of a checkpoint, or of the mapping that it has under one of some keys.

    Raises:
        UsageError: there are none.

    """
    inner = next((checkpoint[key] for key in keys if key in checkpoint), checkpoint)
    state = {k: v for k, v in inner.items() if isinstance(v, Tensor)} if _is_mapping(inner) else {}
    if not state:
        raise UsageError(f"{url} holds no state dict, neither at its top nor under {keys}")
    return state


def _is_mapping(inner: Any) -> bool:
    return isinstance(inner, Mapping)


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], url: str) -> None:
    """Load every weight, none missing and none left over.

    Raises:
        UsageError: names or shapes are other than the module's; the message has the first few.

    """
    try:
        module.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        words = " ".join(lines)
        raise UsageError(
            f"{url} holds other weights than {type(module).__name__} has: {words[:300]}; give the"
            " published ones"
        ) from error


def freeze(module: nn.Module) -> None:
    """Make a module ready to run: no gradients, weight norm worked out once and for all."""
    module.requires_grad_(requires_grad=False).eval()
    for part in list(module.modules()):
        if is_parametrized(part, "weight"):
            remove_parametrizations(part, "weight")
