"""`mimi`: Kyutai's codec of 12.5 frames a second, whose first codebook is semantic.

Defossez et al., "Moshi: a speech-text foundation model for real-time dialogue", arXiv 2410.00037.
A clip is filled with silence to a whole number of frames, as the authors' `encode` does;
transformers alone would pad inside each layer, and the last frame would have other ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.codec import CodecTokenizer, weights_digest
from wavemill.tokenizers.codec_files import CodecClass, load_codec
from wavemill.tokenizers.codec_layouts import mimi_layout
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.threads import torch_threads

MIMI = CodecClass(name="mimi", model="MimiModel", config="MimiConfig", convert=mimi_layout)
FRAMES_A_BLOCK = 25
"""Of a CPU: 2 s, whose activations are small."""


@dataclass(frozen=True, kw_only=True)
class MimiConfig(PlaceSettings):
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
    """Mimi's ids: [T, Q] uint16, the semantic ones first.

    All of it is causal: convolutions, and a transformer whose frames attend to the last 10 s. So
    clips are encoded in blocks of 2 s that hand on what the next one looks back at: memory is
    bounded, and ids are those of the whole clip, unless a number lies within float32's 1e-6 of a
    boundary. Decoding runs whole.
    """

    long_audio: ClassVar[str] = "exact"

    def __init__(self, config: MimiConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is another codec's, or has fewer codebooks.

        """
        self.place = config.place("mimi")
        self._model = load_codec(MIMI, config.model, self.place)
        self.place.keep_exact(self._model.quantizer, "encode")
        settings = self._model.config
        fewest, most = settings.num_semantic_quantizers, settings.num_quantizers
        if not fewest <= config.codebooks <= most:
            raise UsageError(
                f"mimi: codebooks={config.codebooks} must be {fewest} to {most} for {config.model}"
            )
        self._codebooks = config.codebooks
        frame_rate = settings.sampling_rate / settings.frame_size
        self._block_frames = self.place.block_steps(FRAMES_A_BLOCK, frame_rate)
        self.facts = TokenizerFacts(
            name=config.name,
            kind="mimi",
            sample_rate=settings.sampling_rate,
            frame_rate=frame_rate,
            num_codebooks=config.codebooks,
            codebook_size=settings.codebook_size,
            weights_digest=weights_digest(
                self._model, codebooks=config.codebooks, **self.place.digest_parts
            ),
        )

    def _encode(self, clip_N: Tensor) -> Tensor:
        filled_N = functional.pad(clip_N, (0, -len(clip_N) % self._model.config.frame_size))
        quantizer = self._model.quantizer
        with torch_threads(1):
            parts = [quantizer.encode(part, self._codebooks) for part in self._latents(filled_N)]
        return torch.cat(parts, dim=-1)[:, 0]

    def _latents(self, clip_N: Tensor) -> Iterator[Tensor]:
        """Run the encoder over a clip of whole frames; yield latents [1, D, T], in order."""
        attended = convolved = None
        for block_N in clip_N.split(self._block_frames * self._model.config.frame_size):
            part = self._model.encoder(
                block_N[None, None], cache=attended, padding_cache=convolved, use_streaming=True
            )
            attended, convolved = part.cache, part.padding_cache
            yield part.latents

    def _decode(self, codes_QT: Tensor) -> Tensor:
        audio_N: Tensor = self._model.decode(codes_QT[None]).audio_values[0].mean(dim=0)
        return audio_N
