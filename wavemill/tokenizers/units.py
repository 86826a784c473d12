"""Units: the centroids that a vector's nearest one is an id of; their files."""

import io

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import torch

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.tokenizers.checkpoints import read_tensors
from wavemill.tokenizers.nearest import Nearest

Vectors = npt.NDArray[np.float32]
"""[N, D]."""
MOST = 65_536
"""Ids are uint16."""
NAME = "units"
"""Of the tensor in our files."""


class Units:
    """Centroids [K, D]."""

    def __init__(self, centroids: Vectors) -> None:
        """Keep the centroids."""
        self.centroids = centroids
        self._search = Nearest(torch.from_numpy(centroids))

    def nearest(self, vectors: Vectors) -> npt.NDArray[np.int64]:
        """Return the number of the nearest centroid of each vector [N, D]: [N]."""
        found: npt.NDArray[np.int64] = self._search.ids(torch.from_numpy(vectors)).numpy()
        return found


def load_units(url: str, dim: int, what: str) -> Units:
    """Read centroids [K, D]: a `.npy` file, or a `.safetensors` file of one tensor.

    Raises:
        UsageError: there is no such file, or it holds no centroids of `dim` dimensions.

    """
    if url.endswith(".npy"):
        array = _read_npy(url)
    elif url.endswith(".safetensors"):
        tensors = read_tensors(url)
        if len(tensors) != 1:
            raise UsageError(f"{what}: {url} must hold one tensor; it holds {len(tensors)}")
        array = next(iter(tensors.values())).float().numpy()
    else:
        raise UsageError(f"{what}: units={url} must be a .npy or .safetensors file")
    if array.ndim != 2 or array.shape[1] != dim or not 0 < len(array) <= MOST:
        raise UsageError(
            f"{what}: {url} must hold 1 to {MOST} centroids of {dim} dimensions, [K, {dim}]; it"
            f" holds {array.dtype} {list(array.shape)}"
        )
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UsageError(f"{what}: {url} holds centroids that are no finite numbers")
    return Units(np.ascontiguousarray(array, np.float32))


def _read_npy(url: str) -> npt.NDArray[np.generic]:
    try:
        array: npt.NDArray[np.generic] = np.load(
            io.BytesIO(storage.read_bytes(url)), allow_pickle=False
        )
    except FileNotFoundError as error:
        raise UsageError(f"there is no file of units {url}") from error
    except (ValueError, EOFError) as error:
        raise UsageError(f"{url} is not an array that numpy wrote: {error}") from error
    if not isinstance(array, np.ndarray):
        raise UsageError(f"{url} holds several arrays, not one")
    return array


def save_units(url: str, centroids: Vectors) -> None:
    """Write centroids [K, D] as the `.safetensors` file that `load_units` reads."""
    storage.write_bytes(url, safetensors.numpy.save({NAME: np.ascontiguousarray(centroids)}))
