"""`xcodec2`: X-Codec 2, one codebook of 65536 for both meaning and sound, 50 ids a second.

Ye et al., "Llasa: Scaling Train-Time and Inference-Time Compute for Llama-based Speech Synthesis",
arXiv 2502.04128. Its semantic model, the first 16 layers of w2v-BERT 2.0, lies in the same
checkpoint as transformers has it; the features for that model are transformers' own.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.checkpoints import require
from wavemill.tokenizers.codec import CodecTokenizer, weights_digest
from wavemill.tokenizers.codec_files import CodecClass, load_codec

XCODEC2 = CodecClass(name="xcodec2", model="Xcodec2Model", config="Xcodec2Config")


@dataclass(frozen=True, kw_only=True)
class Xcodec2Config:
    """Which model."""

    name: str = "xcodec2"
    model: str = "HKUSTAudio/xcodec2-hf"
    """A name on the hub, or a folder as the hub has it."""


class Xcodec2Tokenizer(CodecTokenizer):
    """X-Codec 2's ids: [T, 1] uint16."""

    def __init__(self, config: Xcodec2Config) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there or is another codec's.

        """
        self._model = load_codec(XCODEC2, config.model)
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
            weights_digest=weights_digest(self._model),
        )

    def _encode(self, clip_N: Tensor) -> Tensor:
        features = self._features(
            clip_N.numpy(), sampling_rate=self.facts.sample_rate, return_tensors="pt"
        )
        codes_1T: Tensor = self._model.encode(**features, return_dict=True).audio_codes[0]
        return codes_1T

    def _decode(self, codes_QT: Tensor) -> Any:
        decoded = self._model.decode(audio_codes=codes_QT[None], return_dict=True)
        return decoded.audio_values[0, 0].numpy()
