"""`dac`: the Descript Audio Codec at 44.1, 24 or 16 kHz.

Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", arXiv 2306.06546. A clip is
filled with silence to a whole number of hops, as the authors' `preprocess` does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.blocks import Window, run_in_blocks
from wavemill.tokenizers.codec import CodecTokenizer, weights_digest
from wavemill.tokenizers.codec_files import CodecClass, load_codec
from wavemill.tokenizers.codec_layouts import dac_layout
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.threads import torch_threads

DAC = CodecClass(name="dac", model="DacModel", config="DacConfig", convert=dac_layout)
BLOCK_STEPS = 100
"""How much is encoded at once on a CPU: 1 to 2 s."""
UNITS_A_BLOCK = (1, 3, 9)
"""Dilations of the residual units before each stride."""


@dataclass(frozen=True, kw_only=True)
class DacConfig(PlaceSettings):
    """Which model, and how many of its codebooks."""

    name: str = "dac"
    model: str = "descript/dac_44khz"
    """A name on the hub, a folder as the hub has it, or the authors' `.pth`."""
    codebooks: int | None = None
    """The first so many; None for all, 9 at 44.1 kHz."""

    def __post_init__(self) -> None:
        """Check that there is a codebook; how many there are depends on the model."""
        if self.codebooks is not None and self.codebooks < 1:
            raise UsageError(f"dac: codebooks={self.codebooks} must be 1 or more")


class DacTokenizer(CodecTokenizer):
    """DAC's ids: [T, Q] uint16.

    Every id hears a bounded stretch of the clip on both sides, 0.1 to 0.3 s. So clips are encoded
    in blocks with that much around them: memory is bounded, and ids are those of the whole clip,
    unless a number lies within float32's 1e-6 of a boundary. Decoding runs whole.
    """

    long_audio: ClassVar[str] = "exact"

    def __init__(self, config: DacConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is another codec's, or has fewer codebooks.

        """
        self.place = config.place("dac")
        self._model = load_codec(DAC, config.model, self.place)
        self.place.keep_exact(self._model.quantizer)
        settings = self._model.config
        self._windows = list(encoder_windows(settings.downsampling_ratios))
        frame_rate = settings.sampling_rate / settings.hop_length
        self._block_steps = self.place.block_steps(BLOCK_STEPS, frame_rate)
        self._codebooks = config.codebooks or settings.n_codebooks
        if self._codebooks > settings.n_codebooks:
            raise UsageError(
                f"dac: codebooks={config.codebooks} is more than the {settings.n_codebooks} of"
                f" {config.model}"
            )
        self.facts = TokenizerFacts(
            name=config.name,
            kind="dac",
            sample_rate=settings.sampling_rate,
            frame_rate=frame_rate,
            num_codebooks=self._codebooks,
            codebook_size=settings.codebook_size,
            weights_digest=weights_digest(
                self._model, codebooks=self._codebooks, **self.place.digest_parts
            ),
        )

    def _encode(self, clip_N: Tensor) -> Tensor:
        filled_N = functional.pad(clip_N, (0, -len(clip_N) % self._model.config.hop_length))
        with torch_threads(1):
            return run_in_blocks(self._ids, self._windows, filled_N, self._block_steps).T

    def _ids(self, clip_N: Tensor) -> Tensor:
        encoded = self._model.encode(
            clip_N[None, None], n_quantizers=self._codebooks, return_dict=True
        )
        codes_QT: Tensor = encoded.audio_codes[0]
        return codes_QT.T

    def _decode(self, codes_QT: Tensor) -> Tensor:
        audio_N = self._model.decode(audio_codes=codes_QT[None], return_dict=True).audio_values[0]
        # An odd stride, such as the 24 kHz model's 5, gives some samples less than it took.
        missing = codes_QT.shape[-1] * self._model.config.hop_length - len(audio_N)
        filled_N: Tensor = functional.pad(audio_N, (0, missing))
        return filled_N


def encoder_windows(strides: list[int]) -> Iterator[Window]:
    """List the layers of DAC's encoder; what is of one sample alone is left out."""
    yield Window(kernel=7, left=3, right=3)
    for stride in strides:
        for dilation in UNITS_A_BLOCK:
            yield Window(kernel=7, dilation=dilation, left=3 * dilation, right=3 * dilation)
        padding = ceil(stride / 2)
        yield Window(kernel=2 * stride, stride=stride, left=padding, right=padding)
    yield Window(kernel=3, left=1, right=1)
