"""Files of direct-sum quantizers: ours, the published state dicts, and SPEAR's.

Ours are safetensors: the published layout's names, and `mean` and `std`, which normalise the
features. Of pickles (`.pt`), `{quantizer, mean, std}` and bare state dicts load, and only tensors
out of them: nothing in a file is run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.tokenizers.checkpoints import read_checkpoint
from wavemill.tokenizers.quantizer import DirectSumQuantizer

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"


@dataclass(frozen=True, eq=False)
class FeatureQuantizer:
    """A quantizer, and the normalisation of the features that it was fitted on."""

    quantizer: DirectSumQuantizer
    mean: Tensor
    """[D] float32."""
    std: Tensor
    """[D] float32, positive."""

    def encode(self, features: npt.NDArray[np.float32], refinements: int) -> npt.NDArray[np.uint8]:
        """Turn features [T, D] float32 into ids [T, N] uint8."""
        x = (torch.from_numpy(features) - self.mean) / self.std
        ids: npt.NDArray[np.uint8] = self.quantizer.encode(x, refinements).numpy()
        return ids

    @torch.no_grad()
    def decode(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn ids [T, N] back into features [T, D] float32, approximately."""
        x = self.quantizer.decode(torch.from_numpy(ids)) * self.std + self.mean
        features: npt.NDArray[np.float32] = x.numpy()
        return features

    def state(self) -> dict[str, Tensor]:
        """Return every tensor under its name in our files."""
        return {**self.quantizer.state_dict(), "mean": self.mean, "std": self.std}


def _tensors(url: str) -> Mapping[str, Tensor]:
    """Read all tensors of a file into one flat mapping."""
    state = read_checkpoint(url)
    if isinstance(state.get("quantizer"), Mapping):
        state = {**state["quantizer"], "mean": state.get("mean"), "std": state.get("std")}
    return {name: part for name, part in state.items() if isinstance(part, Tensor)}


def _statistics(state: Mapping[str, Tensor], dim: int) -> tuple[Tensor, Tensor]:
    """Take mean and std, [D] each; a bare state dict has none and leaves features as they are."""
    mean = state.get("mean", torch.zeros(dim)).float().flatten()
    std = state.get("std", torch.ones(dim)).float().flatten()
    if len(mean) != dim or len(std) != dim:
        raise ValueError(f"mean and std must have {dim} values; got {len(mean)} and {len(std)}")
    if not bool((std > 0).all()):
        raise ValueError("std must be positive in every dimension")
    return mean, std


def load_quantizer(url: str) -> FeatureQuantizer:
    """Load a quantizer: a folder of ours, a `.safetensors` file, or a published pickle.

    Raises:
        UsageError: there is none, or it is broken, or it would have to run code.

    """
    if storage.is_folder(url):
        url = storage.join(url, WEIGHTS_FILE)
    if not storage.exists(url):
        raise UsageError(f"no quantizer at {url}: give a folder that `wavemill fit mvq` wrote")
    state = _tensors(url)
    try:
        quantizer = DirectSumQuantizer.from_state(state)
        mean, std = _statistics(state, quantizer.dim)
    except ValueError as error:
        raise UsageError(f"{url} is no quantizer: {error}") from error
    if quantizer.codebook_size != 256:
        raise UsageError(f"{url} has codebooks of {quantizer.codebook_size} entries, not of 256")
    return FeatureQuantizer(quantizer, mean, std)
