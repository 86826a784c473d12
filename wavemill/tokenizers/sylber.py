"""`sylber`: about four tokens a second, each a syllable, with the times at which it was spoken.

Cho et al., "Sylber: Syllabic Embedding Representation of Speech from Raw Audio", arXiv 2410.07168:
the first nine layers of a HuBERT that was trained to give all frames of a syllable one vector; a
segmentation of those frames (`syllables.py`); and the nearest of a number of centroids (`units`) to
each segment's mean. The published weights come without units: fit some with `wavemill fit sylber`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.base import Codes, Times, TokenizerFacts
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.sylber_encoder import OVERLAP_SECONDS, SAMPLE_RATE, SylberEncoder
from wavemill.tokenizers.syllables import Features, find_syllables
from wavemill.tokenizers.units import load_units

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""


@dataclass(frozen=True, kw_only=True)
class SylberConfig(PlaceSettings):
    """Which weights and units, and where syllables end."""

    name: str = "sylber"
    model: str = "cheoljun95/sylber"
    """`sylber.ckpt`, a folder of a HuBERT that transformers wrote, or a name on the hub."""
    units: str | None = None
    """Centroids [K, 768], a `.safetensors` or `.npy` file."""
    norm_threshold: float = 2.6
    """Frames of a smaller norm are no speech; as published."""
    merge_threshold: float = 0.8
    """Frames whose cosine to the syllable so far is smaller begin another; as published."""
    layers: int = 9
    max_seconds: float = 60.0
    """Frames of a longer clip attend to those within overlapping windows of this length, which
    changes features a little: every frame of a clip that is encoded whole has seen all others."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 0 <= self.norm_threshold < float("inf"):
            raise UsageError(f"sylber: norm_threshold={self.norm_threshold} must be 0 or more")
        if not -1 <= self.merge_threshold <= 1:
            raise UsageError(f"sylber: merge_threshold={self.merge_threshold} must be -1 to 1")
        if self.layers < 1:
            raise UsageError(f"sylber: layers={self.layers} must be 1 or more")
        if not 5 * OVERLAP_SECONDS <= self.max_seconds <= 600:
            raise UsageError(
                f"sylber: max_seconds={self.max_seconds} must be {5 * OVERLAP_SECONDS:g} to 600"
            )


class SyllableEmbedder:
    """Finds the syllables of clips, and a vector for each; needs no units."""

    packages: ClassVar[tuple[str, ...]] = ("transformers", "numba")
    extra: ClassVar[str] = "codecs"
    weights: ClassVar[str] = "model=, and units= of wavemill fit sylber"
    long_audio: ClassVar[str] = "windows of max_seconds"

    def __init__(self, config: SylberConfig) -> None:
        """Load the encoder.

        Raises:
            UsageError: a package is not installed, or the model cannot be had.

        """
        self.place = config.place("sylber")
        require("numba", self.extra, "sylber")
        self._config = config
        self.encoder = SylberEncoder(config.model, config.layers, config.max_seconds, self.place)

    def embed(self, clip: npt.NDArray[np.float32]) -> tuple[Features, Times]:
        """Find the syllables of a clip [N] at 16 kHz.

        Returns:
            The mean of each syllable's frames, [T, D] float32, and when each begins and ends. Of a
            clip without syllables both have no rows.

        """
        features = self.encoder.features(clip)
        spans = find_syllables(
            features,
            norm_threshold=self._config.norm_threshold,
            merge_threshold=self._config.merge_threshold,
        )
        means = np.empty((len(spans), features.shape[1]), np.float32)
        for number, (start, end) in enumerate(spans):
            means[number] = features[start:end].mean(axis=0)
        times = spans * (self.encoder.hop_samples / SAMPLE_RATE)
        # The frame that a very short clip is filled up to ends after the clip.
        return means, np.minimum(times, len(clip) / SAMPLE_RATE).astype(np.float32)


class SylberTokenizer(SyllableEmbedder):
    """One id a syllable: [T, 1] uint16 (uint8 with 256 units or fewer), T >= 0."""

    def __init__(self, config: SylberConfig) -> None:
        """Load the encoder and the units.

        Raises:
            UsageError: a package is not installed, or the model or the units cannot be had.

        """
        if config.units is None:
            raise UsageError(
                "sylber: units= must name a file of centroids (.safetensors or .npy), of which the"
                " published weights have none; fit some with `wavemill fit sylber INPUT... --out"
                " units.safetensors`, then give sylber:units=units.safetensors"
            )
        super().__init__(config)
        self.units = load_units(config.units, self.encoder.dim, "sylber")
        settings = {
            **self.encoder.digest_parts,
            "units": digest(self.units.centroids.tobytes()),
            "norm_threshold": config.norm_threshold,
            "merge_threshold": config.merge_threshold,
            "layers": config.layers,
            "max_seconds": config.max_seconds,
            "version": VERSION,
            **self.place.digest_parts,
        }
        self.facts = TokenizerFacts(
            name=config.name,
            kind="sylber",
            sample_rate=SAMPLE_RATE,
            frame_rate=None,
            num_codebooks=1,
            codebook_size=len(self.units.centroids),
            weights_digest=digest(settings),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        return [codes for codes, _ in self.encode_timed(batch)]

    def encode_timed(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[tuple[Codes, Times]]:
        """Encode clips as `encode` does, with times; see `TimedTokenizer.encode_timed`."""
        return [self._encode(clip) for clip in batch]

    def _encode(self, clip: npt.NDArray[np.float32]) -> tuple[Codes, Times]:
        means, times = self.embed(clip)
        codes: Codes = self.units.nearest(means).astype(self.facts.dtype)[:, None]
        return codes, times
