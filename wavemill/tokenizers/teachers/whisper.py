"""`whisper`: what Whisper's encoder gives, 50 features a second.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356. A
model of the transformers package loads, and so does a CTranslate2 model, as faster-whisper uses.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.checkpoints import find_model
from wavemill.tokenizers.converted_whisper import load_converted
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import (
    Clip,
    Features,
    TeacherConfig,
    TeacherFacts,
    check_layer,
)
from wavemill.tokenizers.teachers.pretrained import Pretrained, cut_at_layer, features_digest
from wavemill.tokenizers.teachers.windows import in_windows
from wavemill.tokenizers.threads import torch_threads

VERSION = 1
"""Goes up when the same audio and weights would get other features."""
SAMPLE_RATE = 16_000
HOP_SAMPLES = 320
WINDOW_SECONDS = 30

Encode = Callable[[Features], Features]
"""Turns a window's log-mel [M, 3000] into features [1500, D]."""


def num_features(num_samples: int) -> int:
    """Count the features of a clip: round-half-up(N / 320), but at least one."""
    return max(1, (num_samples + HOP_SAMPLES // 2) // HOP_SAMPLES)


class WhisperTeacher:
    """The encoder's output, cut to the clip's true length.

    Whisper hears 30 s at a time, filled up with silence. Longer clips are cut into pieces of 30 s,
    and their features are those of the pieces.
    """

    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "codecs"

    def __init__(self, config: TeacherConfig, place: Place) -> None:
        """Load the model.

        Raises:
            UsageError: it cannot be had, is no Whisper, or is not whole.

        """
        folder = find_model(config.required_model("a folder or the name on the hub"), "whisper")
        load = _ctranslate2 if (Path(folder) / "model.bin").exists() else _transformers
        self._encode, mels, dim, weights = load(config, folder, place)
        package = require("transformers", self.extra, "teacher whisper")
        self._extractor: Any = package.WhisperFeatureExtractor(feature_size=mels)
        self.config, self.place = config, place
        self.facts = TeacherFacts(
            kind=config.name,
            sample_rate=SAMPLE_RATE,
            frame_rate=SAMPLE_RATE / HOP_SAMPLES,
            dim=dim,
            digest=digest([weights, config.name, config.layer, VERSION]),
            window_seconds=WINDOW_SECONDS,
        )

    def features(self, clip: Clip) -> Features:
        """Compute the encoder's output, [T, D] with T = `num_features(N)`."""
        a_second = SAMPLE_RATE // HOP_SAMPLES

        def encode(start: int, stop: int) -> Features:
            # The last piece may have a few samples beyond the last step; it hears them.
            end = len(clip) if stop == steps else stop * HOP_SAMPLES
            piece = clip[start * HOP_SAMPLES : end][: WINDOW_SECONDS * SAMPLE_RATE]
            with torch_threads(1):
                mel = self._extractor(piece, sampling_rate=SAMPLE_RATE, return_tensors="np")
                return self._encode(mel.input_features[0])[: stop - start]

        steps = num_features(len(clip))
        return in_windows(steps, WINDOW_SECONDS * a_second, 0, encode)


def _transformers(config: TeacherConfig, folder: str, place: Place) -> tuple[Encode, int, int, str]:
    """Load a model of the transformers package: (encode, mels, D, digest of the weights)."""
    loaded = Pretrained(config, place, ("whisper",), part="encoder.")
    check_layer(config, loaded.config.encoder_layers)
    encoder = loaded.model.encoder
    cut_at_layer(encoder, config.layer, norm_ends=True)
    if loaded.config.max_source_positions != WINDOW_SECONDS * SAMPLE_RATE // HOP_SAMPLES:
        raise UsageError(f"teacher whisper: {folder} does not take 30 s of audio at a time")

    def encode(mel: Features) -> Features:
        with place.running():
            states_1TD = encoder(place.tensor(mel)[None]).last_hidden_state
            features: Features = states_1TD[0].float().cpu().numpy()
        return features

    weights = features_digest(encoder, scale=loaded.config.scale_embedding)
    return encode, loaded.config.num_mel_bins, loaded.config.d_model, weights


def _ctranslate2(config: TeacherConfig, folder: str, place: Place) -> tuple[Encode, int, int, str]:
    """Load a model of the ctranslate2 package, as `_transformers` does."""
    if config.layer is not None:
        raise UsageError(
            f"teacher whisper: layer={config.layer}, but {folder} is a CTranslate2 model, which"
            " gives the encoder's output alone: leave layer out"
        )
    package = require("ctranslate2", "whisper", "teacher whisper")
    model = load_converted(package, folder, place, "teacher whisper")

    def encode(mel: Features) -> Features:
        view = package.StorageView.from_array(np.ascontiguousarray(mel[None], np.float32))
        encoded = model.encode(view, to_cpu=True).to(package.DataType.float32)
        features: Features = np.array(encoded, dtype=np.float32)[0]
        return features

    dim = encode(np.zeros((model.n_mels, 3000), np.float32)).shape[1]
    return encode, model.n_mels, dim, digest((Path(folder) / "model.bin").read_bytes())
