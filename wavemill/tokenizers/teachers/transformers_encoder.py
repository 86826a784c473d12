"""`hubert`, `wavlm`, `wav2vec2` and their kin: a layer of a transformers speech encoder.

They hear the waveform at 16 kHz, normalised or not as the model's preprocessor_config.json says,
and give 50 features a second. Clips are encoded one by one and unpadded: padding with zeros moves
the features of HuBERT base by a third.
"""

from typing import ClassVar

import numpy as np
import torch

from wavemill.errors import UsageError
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
WINDOW_SECONDS = 30
CONTEXT_SECONDS = 5


class TransformersTeacher:
    """Features of a speech encoder, 50 a second.

    A clip shorter than the encoder's first window (25 ms) is filled with silence. Of clips longer
    than 30 s windows of 30 s are heard, of which the middle 20 s count.
    """

    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "codecs"

    def __init__(self, config: TeacherConfig) -> None:
        """Load the model.

        Raises:
            UsageError: it cannot be had, is of another type than the name says, or is not whole.

        """
        loaded = Pretrained(config, (config.name,))
        check_layer(config, loaded.config.num_hidden_layers)
        extractor = loaded.feature_extractor()
        if extractor.sampling_rate != SAMPLE_RATE:
            raise UsageError(f"teacher {config.name}: {config.model} does not take 16 kHz")
        self._normalise = bool(extractor.do_normalize)
        self._model = loaded.model
        norm_ends = bool(getattr(loaded.config, "do_stable_layer_norm", False))
        cut_at_layer(self._model.encoder, config.layer, norm_ends=norm_ends)
        self._hop = int(np.prod(loaded.config.conv_stride))
        self._reach = _reach(loaded.config.conv_kernel, loaded.config.conv_stride)
        self.config = config
        self.facts = TeacherFacts(
            kind=config.name,
            sample_rate=SAMPLE_RATE,
            frame_rate=SAMPLE_RATE / self._hop,
            dim=loaded.config.hidden_size,
            digest=features_digest(
                self._model,
                kind=config.name,
                layer=config.layer,
                normalise=self._normalise,
                config=loaded.settings(),
                version=VERSION,
            ),
            window_seconds=WINDOW_SECONDS,
        )

    def features(self, clip: Clip) -> Features:
        """Compute a layer's output, [T, D]; see `Teacher.features`."""
        heard = _normalised(clip) if self._normalise else clip
        heard = np.pad(heard, (0, max(0, self._reach - len(heard))))
        steps = 1 + (len(heard) - self._reach) // self._hop
        a_second = SAMPLE_RATE // self._hop

        def encode(start: int, stop: int) -> Features:
            # What is left after the last feature is heard, too: by the first layer's group norm.
            end = len(heard) if stop == steps else (stop - 1) * self._hop + self._reach
            return self._encode(heard[start * self._hop : end])

        return in_windows(steps, WINDOW_SECONDS * a_second, CONTEXT_SECONDS * a_second, encode)

    @torch.inference_mode()
    def _encode(self, piece: Clip) -> Features:
        with torch_threads(1):
            output = self._model(torch.from_numpy(piece)[None]).last_hidden_state[0]
        features: Features = output.numpy()
        return features


def _reach(kernels: list[int], strides: list[int]) -> int:
    """Count the samples that one feature's convolutions hear: 400 of the published encoders."""
    reach = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        reach = (reach - 1) * stride + kernel
    return reach


def _normalised(clip: Clip) -> Clip:
    """Bring a whole clip to mean 0 and variance 1, as Wav2Vec2FeatureExtractor does."""
    normalised: Clip = (clip - clip.mean()) / np.sqrt(clip.var() + np.float32(1e-7))
    return normalised
