"""`hubert`, `wavlm`, `wav2vec2` and their kin: a layer of a transformers speech encoder.

They hear the waveform at 16 kHz, normalised or not as the model's preprocessor_config.json says,
and give 50 features a second. Clips are encoded one by one and unpadded: padding with zeros moves
the features of HuBERT base by a third.
"""

from typing import ClassVar

import numpy as np
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.hubert_long import (
    count_frames,
    norm_over_time,
    receptive_field,
    run_window,
)
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

VERSION = 2
"""Goes up when the same audio and weights would get other features."""
SAMPLE_RATE = 16_000
WINDOW_SECONDS = 30
CONTEXT_SECONDS = 5


class TransformersTeacher:
    """Features of a speech encoder, 50 a second.

    A clip shorter than the encoder's first window (25 ms) is filled with silence. Of clips longer
    than 30 s attention hears windows of 30 s, of which the middle 20 s count; the convolutions and
    their norm over time come out as of the whole clip.
    """

    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "codecs"

    def __init__(self, config: TeacherConfig, place: Place) -> None:
        """Load the model.

        Raises:
            UsageError: it cannot be had, is of another type than the name says, or is not whole.

        """
        loaded = Pretrained(config, place, (config.name,))
        check_layer(config, loaded.config.num_hidden_layers)
        extractor = loaded.feature_extractor()
        if extractor.sampling_rate != SAMPLE_RATE:
            raise UsageError(f"teacher {config.name}: {config.model} does not take 16 kHz")
        self._normalise = bool(extractor.do_normalize)
        self._model = loaded.model
        norm_ends = bool(getattr(loaded.config, "do_stable_layer_norm", False))
        cut_at_layer(self._model.encoder, config.layer, norm_ends=norm_ends)
        self._hop = int(np.prod(loaded.config.conv_stride))
        self._reach = receptive_field(loaded.config.conv_kernel, loaded.config.conv_stride)
        self.config, self.place = config, place
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
        wave = self.place.tensor(np.pad(heard, (0, max(0, self._reach - len(heard)))))
        steps = count_frames(self._model.config, len(wave))
        a_second = SAMPLE_RATE // self._hop
        with self.place.running(), torch_threads(1):
            if steps <= WINDOW_SECONDS * a_second:
                return _features(self._model(wave[None]).last_hidden_state[0])
            norm = norm_over_time(self._model, wave)

            def encode(start: int, stop: int) -> Features:
                return _features(run_window(self._model, wave, norm, start, stop))

            return in_windows(steps, WINDOW_SECONDS * a_second, CONTEXT_SECONDS * a_second, encode)


def _features(states_TD: Tensor) -> Features:
    features: Features = states_TD.float().cpu().numpy()
    return features


def _normalised(clip: Clip) -> Clip:
    """Bring a whole clip to mean 0 and variance 1, as Wav2Vec2FeatureExtractor does."""
    normalised: Clip = (clip - clip.mean()) / np.sqrt(clip.var() + np.float32(1e-7))
    return normalised
