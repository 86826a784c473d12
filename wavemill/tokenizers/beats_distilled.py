"""The self-distilled tokenizer of BEATs' later iterations, as Microsoft's checkpoints hold it.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", arXiv 2212.09058, section 3.2.2:
BEATs' encoder, a projection (linear, tanh, linear) to 256 dimensions, and the nearest of 1024
codewords by cosine. Files are `Tokenizer_iter*.pt`: `{cfg, model}`.
"""

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.beats_encoder import BeatsCheckpoint, BeatsEncoder
from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.nearest import Nearest
from wavemill.tokenizers.threads import torch_threads

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
_HEAD = (
    "quantize_layer.0.weight",
    "quantize_layer.0.bias",
    "quantize_layer.2.weight",
    "quantize_layer.2.bias",
)
_CODEBOOK = "quantize.embedding.weight"
_INITTED = "quantize.embedding.initted"


class SelfDistilled:
    """Ids of the encoder's patches; long clips are cut as `BeatsEncoder` says."""

    def __init__(self, model: str, place: Place) -> None:
        """Load a checkpoint.

        Raises:
            UsageError: it cannot be had, or is not that of a tokenizer.

        """
        checkpoint = BeatsCheckpoint(model, "beats")
        if _CODEBOOK not in checkpoint.state:
            raise UsageError(
                f"beats: {checkpoint.url} has no codebook ({_CODEBOOK}): give a tokenizer's"
                " checkpoint, not an encoder's"
            )
        if _INITTED in checkpoint.state and not bool(checkpoint.state[_INITTED].all()):
            raise UsageError(f"beats: the codebook of {checkpoint.url} was never trained")
        self._encoder = BeatsEncoder(checkpoint, place)
        self._head = [checkpoint.tensor(name) for name in _HEAD]
        codebook_KC = checkpoint.tensor(_CODEBOOK)
        self._check_shapes(checkpoint.url, codebook_KC)
        # On the unit sphere the nearest by cosine is the nearest; codewords are of length one.
        self._nearest = Nearest(codebook_KC)
        self.codebook_size = len(codebook_KC)
        parts = dict(zip((*_HEAD, _CODEBOOK), (*self._head, codebook_KC), strict=True))
        weights = digest([self._encoder.digest, digest_tensors(parts), VERSION])
        self.digest: dict[str, str | int] = {"model": weights}
        self._place = place
        self._head = [part.to(place.device) for part in self._head]

    def _check_shapes(self, url: str, codebook_KC: Tensor) -> None:
        width, code_dim = self._encoder.dim, codebook_KC.shape[-1]
        wanted = [(width, width), (width,), (code_dim, width), (code_dim,)]
        for name, part, shape in zip(_HEAD, self._head, wanted, strict=True):
            if tuple(part.shape) != shape:
                raise UsageError(f"beats: {url}: {name} must be {shape}; got {tuple(part.shape)}")

    def ids(self, clip: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Find the codeword of every patch of a clip [N]: [T]."""
        features_TD = self._place.tensor(self._encoder.features(clip))
        with torch_threads(1), self._place.running():
            points_TC = self._project(features_TD).float().cpu()
            ids: npt.NDArray[np.int64] = self._nearest.ids(points_TC).numpy()
        return ids

    def _project(self, features_TD: Tensor) -> Tensor:
        first, first_bias, second, second_bias = self._head
        hidden_TD = functional.linear(features_TD, first, first_bias).tanh()
        return functional.normalize(functional.linear(hidden_TD, second, second_bias), dim=-1)
