"""`mimi`: Kyutai's codec of 12.5 frames a second, whose first codebook is semantic.

Defossez et al., "Moshi: a speech-text foundation model for real-time dialogue", arXiv 2410.00037.
A clip is filled with silence to a whole number of frames, as the authors' `encode` does;
transformers alone would pad inside each layer, and the last frame would have other ids.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.codec import CodecTokenizer, weights_digest
from wavemill.tokenizers.codec_files import CodecClass, load_codec
from wavemill.tokenizers.codec_layouts import mimi_layout

MIMI = CodecClass(name="mimi", model="MimiModel", config="MimiConfig", convert=mimi_layout)


@dataclass(frozen=True, kw_only=True)
class MimiConfig:
    """Which model, and how many of its codebooks."""

    name: str = "mimi"
    model: str = "kyutai/mimi"
    """A name on the hub, a folder as the hub has it, or the authors' `.safetensors`."""
    codebooks: int = 8
    """The first so many, the semantic one among them; 8 as Moshi uses, of 32."""

    def __post_init__(self) -> None:
        """Check that there is a codebook; how many there are depends on the model."""
        if self.codebooks < 1:
            raise UsageError(f"mimi: codebooks={self.codebooks} must be 1 or more")


class MimiTokenizer(CodecTokenizer):
    """Mimi's ids: [T, Q] uint16, the semantic ones first."""

    def __init__(self, config: MimiConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is another codec's, or has fewer codebooks.

        """
        self._model = load_codec(MIMI, config.model)
        settings = self._model.config
        fewest, most = settings.num_semantic_quantizers, settings.num_quantizers
        if not fewest <= config.codebooks <= most:
            raise UsageError(
                f"mimi: codebooks={config.codebooks} must be {fewest} to {most} for {config.model}"
            )
        self._codebooks = config.codebooks
        self.facts = TokenizerFacts(
            name=config.name,
            kind="mimi",
            sample_rate=settings.sampling_rate,
            frame_rate=settings.sampling_rate / settings.frame_size,
            num_codebooks=config.codebooks,
            codebook_size=settings.codebook_size,
            weights_digest=weights_digest(self._model, codebooks=config.codebooks),
        )

    def _encode(self, clip_N: Tensor) -> Tensor:
        filled_N = functional.pad(clip_N, (0, -len(clip_N) % self._model.config.frame_size))
        encoded = self._model.encode(filled_N[None, None], num_quantizers=self._codebooks)
        codes_QT: Tensor = encoded.audio_codes[0]
        return codes_QT

    def _decode(self, codes_QT: Tensor) -> Any:
        return self._model.decode(codes_QT[None]).audio_values[0].mean(dim=0).numpy()
