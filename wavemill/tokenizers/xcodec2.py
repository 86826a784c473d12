"""`xcodec2`: X-Codec 2, one codebook of 65536 for both meaning and sound, 50 ids a second.

Ye et al., "Llasa: Scaling Train-Time and Inference-Time Compute for Llama-based Speech Synthesis",
arXiv 2502.04128. Its semantic model, the first 16 layers of w2v-BERT 2.0, lies in the same
checkpoint as transformers has it; the features for that model are transformers' own.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wavemill.packages import require
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.codec import CodecTokenizer, weights_digest
from wavemill.tokenizers.codec_files import CodecClass, load_codec
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.teachers.windows import windows
from wavemill.tokenizers.threads import torch_threads

XCODEC2 = CodecClass(name="xcodec2", model="Xcodec2Model", config="Xcodec2Config")
WINDOW_STEPS, CONTEXT_STEPS = 1500, 250
"""30 s, and the 5 s at each inner side of them that are heard and do not count."""


@dataclass(frozen=True, kw_only=True)
class Xcodec2Config(PlaceSettings):
    """Which model."""

    name: str = "xcodec2"
    model: str = "HKUSTAudio/xcodec2-hf"
    """A name on the hub, or a folder as the hub has it."""


class Xcodec2Tokenizer(CodecTokenizer):
    """X-Codec 2's ids: [T, 1] uint16.

    Its semantic model attends to the whole clip, which is normalised, too: clips longer than 30 s
    are cut into windows of 30 s, of which the middle 20 s count. Ids of a long clip are not those
    of the uncut one: with small random weights 3 to 6 % of a minute's differed. Of the published
    ones it is not known.
    """

    long_audio: ClassVar[str] = "windows of 30 s"

    def __init__(self, config: Xcodec2Config) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there or is another codec's.

        """
        self.place = config.place("xcodec2")
        self._model = load_codec(XCODEC2, config.model, self.place)
        self.place.keep_exact(self._model.quantizer)
        settings = self._model.config
        transformers = require("transformers", self.extra, "xcodec2")
        self._features = transformers.Xcodec2FeatureExtractor(
            sampling_rate=settings.sampling_rate, hop_length=settings.hop_length
        )
        size = 1
        for levels in settings.quantization_levels:
            size *= levels
        self.facts = TokenizerFacts(
            name=config.name,
            kind="xcodec2",
            sample_rate=settings.sampling_rate,
            frame_rate=settings.sampling_rate / settings.hop_length,
            num_codebooks=1,
            codebook_size=size,
            weights_digest=weights_digest(self._model, **self.place.digest_parts),
        )

    def _encode(self, clip_N: Tensor) -> Tensor:
        hop = self._model.config.hop_length
        steps = len(clip_N) // hop + 1
        parts = []
        for start, stop, first, last in windows(steps, WINDOW_STEPS, CONTEXT_STEPS):
            # A sample of silence is put after what is heard: an inner window leaves room for it.
            end = len(clip_N) if stop == steps else stop * hop - 1
            with torch_threads(1):
                codes_1T = self._ids(clip_N[start * hop : end])
            parts.append(codes_1T[:, first - start : last - start])
        return torch.cat(parts, dim=-1)

    def _ids(self, clip_N: Tensor) -> Tensor:
        with self.place.exact():
            features = self._features(
                clip_N.cpu().numpy(), sampling_rate=self.facts.sample_rate, return_tensors="pt"
            ).to(self.place.device)
        codes_1T: Tensor = self._model.encode(**features, return_dict=True).audio_codes[0]
        return codes_1T

    def _decode(self, codes_QT: Tensor) -> Tensor:
        decoded = self._model.decode(audio_codes=codes_QT[None], return_dict=True)
        audio_N: Tensor = decoded.audio_values[0, 0]
        return audio_N
