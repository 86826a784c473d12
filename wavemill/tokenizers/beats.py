"""`beats`: BEATs' acoustic tokenizers.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", https://arxiv.org/abs/2212.09058.
The first iteration's (section 3.2.1) is a frozen random projection, with the sizes and the order of
random draws of ESPnet's open implementation: a patch embedding 1x16x16 -> 512, layer norm, a
projection -> 256, layer norm (neither norm has weights), then the nearest of 1024 codewords. The
same seed gives the same weights everywhere: they are drawn from torch's CPU generator. Those of
later iterations are learned; `beats_distilled` loads Microsoft's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional, init

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.specs import MAX_SEED, check_range
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.beats_distilled import SelfDistilled
from wavemill.tokenizers.beats_fbank import FRAME_RATE, PATCH, SAMPLE_RATE, normalised_fbank
from wavemill.tokenizers.beats_fbank import patches as cut_patches
from wavemill.tokenizers.device import Place, PlaceSettings

EMBED_DIM = 512
CODE_DIM = 256
CODEBOOK_SIZE = 1024
BLOCK_PATCHES = 4800
"""How many are worked out at once, of 96 s."""
VERSION = 1
"""Goes up when the same audio would get other tokens."""


@dataclass(frozen=True, kw_only=True)
class BeatsConfig(PlaceSettings):
    """Which weights: random ones, or a checkpoint's."""

    name: str = "beats"
    seed: int = 0
    """Of the first iteration's random weights."""
    model: str | None = None
    """A later iteration's tokenizer, a checkpoint as Microsoft published; None for the first."""

    def __post_init__(self) -> None:
        """Check the seed."""
        check_range("--tokenizer beats: seed", self.seed, 0, MAX_SEED)
        if self.model is not None and self.seed:
            raise UsageError(
                f"beats: seed={self.seed} draws random weights and model={self.model} has learned"
                " ones: give one of them"
            )


class _Quantizer(Protocol):
    """Turns a clip [N] into ids [T]."""

    codebook_size: int
    digest: dict[str, str | int]

    def ids(self, clip: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]: ...


class BeatsTokenizer:
    """BEATs' tokens, one a patch of 16 mel bins x 160 ms.

    The patches are flattened time-major, as BEATs' encoder takes them: 8 tokens, low frequencies
    first, for every 160 ms; nominally 50 a second. What is left at the end of a clip after the
    last whole patch has no token, as in the reference; a clip shorter than one patch (175 ms) is
    filled with silence to one.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "units"  # has openbeats, for `model`
    weights: ClassVar[str] = "inside"
    long_audio: ClassVar[str] = "exact; model=: windows of 28.8 s"

    def __init__(self, config: BeatsConfig) -> None:
        """Draw or load the weights.

        Raises:
            UsageError: the checkpoint cannot be had, or is no tokenizer's.

        """
        self.place = config.place("beats")
        self._quantizer: _Quantizer = (
            RandomProjection(config.seed, self.place)
            if config.model is None
            else SelfDistilled(config.model, self.place)
        )
        self.facts = TokenizerFacts(
            name=config.name,
            kind="beats",
            sample_rate=SAMPLE_RATE,
            frame_rate=FRAME_RATE,
            num_codebooks=1,
            codebook_size=self._quantizer.codebook_size,
            weights_digest=digest(
                {
                    **self._quantizer.digest,
                    "name": config.name,
                    "version": VERSION,
                    **self.place.digest_parts,
                }
            ),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        dtype = self.facts.dtype
        return [self._quantizer.ids(clip).astype(dtype)[:, None] for clip in batch]


class RandomProjection:
    """The first iteration's tokenizer."""

    codebook_size = CODEBOOK_SIZE

    def __init__(self, seed: int, place: Place) -> None:
        """Draw the weights."""
        self._place = place
        weights = (part.to(place.device) for part in _weights(seed))
        self._embedding, self._projection, self._codebook = weights
        # argmin |v - x|^2 = argmax v.x - |v|^2 / 2: one matrix product and no distances.
        self._half_norms = self._codebook.square().sum(dim=1) / 2
        self.digest: dict[str, str | int] = {"seed": seed}

    def ids(self, clip: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Find the codeword of every patch of a clip [N]: [T]."""
        with self._place.running():
            with self._place.exact():
                patches_TF = cut_patches(normalised_fbank(self._place.tensor(clip)))
            ids_T = torch.cat([self._ids(part) for part in patches_TF.split(BLOCK_PATCHES)])
        ids: npt.NDArray[np.int64] = ids_T.cpu().numpy()
        return ids

    def _ids(self, patches_TF: Tensor) -> Tensor:
        embedded = functional.layer_norm(patches_TF @ self._embedding.T, (EMBED_DIM,))
        projected = functional.layer_norm(embedded @ self._projection.T, (CODE_DIM,))
        with self._place.exact():
            scores_TK = projected.float() @ self._codebook.T - self._half_norms
        return scores_TK.argmax(dim=1)


@cache
def _weights(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw patch embedding [512, 256], projection [256, 512] and codebook [1024, 256]."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.empty(EMBED_DIM, 1, PATCH, PATCH)
    projection = torch.empty(CODE_DIM, EMBED_DIM)
    init.xavier_normal_(embedding, generator=generator)
    # ESPnet's layer is filled once by its constructor before it is filled for good.
    init.kaiming_uniform_(projection, a=5**0.5, generator=generator)
    init.xavier_normal_(projection, generator=generator)
    codebook = torch.randn(CODEBOOK_SIZE, CODE_DIM, generator=generator)
    return embedding.reshape(EMBED_DIM, PATCH * PATCH), projection, codebook
