"""`kmeans`: the nearest of K centroids of a teacher's features, one id each.

Discrete units as in Lakhotia et al., "Generative Spoken Language Modeling from Raw Audio", arXiv
2102.01192. There are no units without audio: `wavemill fit kmeans` makes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.checkpoints import digest_tensors, read_tensors
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.nearest import Nearest
from wavemill.tokenizers.quantizer_files import CONFIG_FILE, WEIGHTS_FILE
from wavemill.tokenizers.teachers.fitted import read_config, teacher_of

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
COMMAND = "wavemill fit kmeans"
CENTROIDS = "centroids"


@dataclass(frozen=True, kw_only=True)
class KmeansConfig(PlaceSettings):
    """Which centroids, and where their teacher is."""

    name: str = "kmeans"
    model: str
    """A folder that `wavemill fit kmeans` wrote; it names its teacher."""
    teacher_model: str | None = None
    """Where the teacher's weights are, if not where they were when the model was fitted."""


class KmeansTokenizer:
    """Units of a teacher's features: [T, 1], one a feature.

    How long clips are cut is the teacher's (`facts.window_seconds` of it).
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "units"
    weights: ClassVar[str] = "fitted: wavemill fit kmeans"
    long_audio: ClassVar[str] = "exact of logmel, else windows"

    def __init__(self, config: KmeansConfig) -> None:
        """Load centroids and teacher.

        Raises:
            UsageError: one of them cannot be had, is broken, or does not go with the other.

        """
        self.place = config.place("kmeans")
        if not storage.is_folder(config.model):
            raise UsageError(f"kmeans: no folder {config.model}: give one that `{COMMAND}` wrote")
        url = storage.join(config.model, CONFIG_FILE)
        fitted = read_config(url, COMMAND)
        centroids_KD = _centroids(storage.join(config.model, WEIGHTS_FILE))
        self.teacher = teacher_of(url, fitted, None, config.teacher_model, None, self.place)
        if centroids_KD.shape[1] != self.teacher.facts.dim:
            raise UsageError(
                f"kmeans: the centroids in {config.model} have {centroids_KD.shape[1]} dimensions,"
                f" not the {self.teacher.facts.dim} of teacher {self.teacher.facts.kind}"
            )
        self._nearest = Nearest(centroids_KD)
        settings = {
            "weights": digest_tensors({CENTROIDS: centroids_KD}),
            "features": self.teacher.facts.digest,
            "version": VERSION,
            **self.place.digest_parts,
        }
        self.facts = TokenizerFacts(
            name=config.name,
            kind="kmeans",
            sample_rate=self.teacher.facts.sample_rate,
            frame_rate=self.teacher.facts.frame_rate,
            num_codebooks=1,
            codebook_size=len(centroids_KD),
            weights_digest=digest(settings),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        return [self._encode(clip) for clip in batch]

    def _encode(self, clip: npt.NDArray[np.float32]) -> Codes:
        ids = self._nearest.ids(torch.from_numpy(self.teacher.features(clip)))
        codes: Codes = ids.numpy().astype(self.facts.dtype)[:, None]
        return codes


def _centroids(url: str) -> Tensor:
    tensors = read_tensors(url)
    centroids = tensors.get(CENTROIDS)
    if centroids is None or centroids.ndim != 2 or not len(centroids):
        raise UsageError(f"{url} has no centroids [K, D]: give a folder that `{COMMAND}` wrote")
    if len(centroids) > 65536 or not bool(centroids.isfinite().all()):
        raise UsageError(f"{url}: centroids must be finite and at most 65536")
    return centroids.float()
