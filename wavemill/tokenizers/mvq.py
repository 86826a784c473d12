"""`mvq`: multi-codebook vector quantization of log-mel frames, 100 a second.

Guo et al., "Predicting Multi-Codebook Vector Quantization Indexes for Knowledge Distillation",
arXiv 2211.00508. A small quantizer ships with the package (4 codebooks; `weights/` says what it was
fitted on); `wavemill fit mvq` makes one of your own audio.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.features import (
    FEATURE_KIND,
    FRAME_RATE,
    NUM_MELS,
    SAMPLE_RATE,
    log_mel,
)
from wavemill.tokenizers.quantizer_files import CONFIG_FILE, FeatureQuantizer, load_quantizer

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "mvq_logmel80_4x256.safetensors"


@dataclass(frozen=True, kw_only=True)
class MvqConfig:
    """Which quantizer, and how thorough the search is."""

    name: str = "mvq"
    model: str | None = None
    """A folder that `wavemill fit mvq` wrote; None for the quantizer that ships."""
    refinements: int = 5
    """Of the first ids, 0 to 5; 5 as published."""

    def __post_init__(self) -> None:
        """Check the number of refinements."""
        if not 0 <= self.refinements <= 5:
            raise UsageError(f"mvq: refinements={self.refinements} must be 0 to 5")


def _check_config(url: str) -> None:
    """Refuse a quantizer of features other than ours, which its config.json names."""
    try:
        config: Any = json.loads(storage.read_bytes(url))
    except FileNotFoundError as error:
        raise UsageError(f"no {url}: a model is a folder that `wavemill fit mvq` wrote") from error
    except ValueError as error:
        raise UsageError(f"{url} is not JSON: {error}") from error
    features = config.get("features") if isinstance(config, dict) else None
    if features != FEATURE_KIND:
        raise UsageError(f"{url}: features must be {FEATURE_KIND!r}; got {features!r}")


def _load(model: str | None) -> FeatureQuantizer:
    if model is None:
        return load_quantizer(str(DEFAULT_WEIGHTS))
    if not storage.is_folder(model):
        raise UsageError(f"mvq: there is no folder {model}: give one that `wavemill fit mvq` wrote")
    _check_config(storage.join(model, CONFIG_FILE))
    loaded = load_quantizer(model)
    if loaded.quantizer.dim != NUM_MELS:
        raise UsageError(
            f"mvq: the quantizer in {model} takes {loaded.quantizer.dim} features, not the"
            f" {NUM_MELS} log-mel bands"
        )
    return loaded


class MvqTokenizer:
    """Direct-sum ids of log-mel frames: [T, N] uint8 with T = `features.num_frames` of a clip."""

    def __init__(self, config: MvqConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is broken, or is one of other features.

        """
        self.model = _load(config.model)
        self._refinements = config.refinements
        settings = {
            "weights": digest_tensors(self.model.state()),
            "refinements": config.refinements,
            "features": FEATURE_KIND,
            "version": VERSION,
        }
        self.facts = TokenizerFacts(
            name=config.name,
            kind="mvq",
            sample_rate=SAMPLE_RATE,
            frame_rate=FRAME_RATE,
            num_codebooks=self.model.quantizer.num_codebooks,
            codebook_size=self.model.quantizer.codebook_size,
            weights_digest=digest(settings),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        return [self.model.encode(log_mel(clip), self._refinements) for clip in batch]
