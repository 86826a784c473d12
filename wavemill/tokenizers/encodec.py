"""`encodec`: EnCodec, residual vector quantization of a convolutional autoencoder.

Defossez et al., "High Fidelity Neural Audio Compression", arXiv 2210.13438. The 24 kHz model is
mono and causal, 75 frames a second; its encoder runs in blocks (`causal_blocks`).

The 48 kHz model is stereo: a mono clip is given to it twice. It takes pieces of one second that
overlap by 1 %, and each is scaled to the same loudness before it is encoded. Here the pieces' ids
follow one another in one stream: 150 steps a piece (fewer in the last), thus 150 for every 0.99 s.
The scales are no ids and are not kept, so decoded audio has pieces of one loudness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.codec import CodecTokenizer, weights_digest
from wavemill.tokenizers.codec_files import CodecClass, load_codec
from wavemill.tokenizers.codec_layouts import encodec_layout
from wavemill.tokenizers.device import PlaceSettings

ENCODEC = CodecClass(
    name="encodec", model="EncodecModel", config="EncodecConfig", convert=encodec_layout
)
DECODED_RMS = 0.1
"""Of the 48 kHz model's decoded audio, whose own loudness is lost; -20 dB, so that peaks fit."""


@dataclass(frozen=True, kw_only=True)
class EncodecConfig(PlaceSettings):
    """Which model, and how many of its codebooks."""

    name: str = "encodec"
    model: str = "facebook/encodec_24khz"
    """A name on the hub, a folder as the hub has it, or the authors' `.th`."""
    bandwidth: float = 6.0
    """In kbit/s; at 24 kHz 1.5, 3, 6, 12, 24 are 2, 4, 8, 16, 32 codebooks."""

    def __post_init__(self) -> None:
        """Check the bandwidth's sign; which there are depends on the model."""
        if not self.bandwidth > 0:
            raise UsageError(f"encodec: bandwidth={self.bandwidth:g} must be above 0, such as 6")


class EncodecTokenizer(CodecTokenizer):
    """EnCodec's ids: [T, Q] uint16."""

    long_audio: ClassVar[str] = "exact"
    packages: ClassVar[tuple[str, ...]] = (*CodecTokenizer.packages, "numba")

    def __init__(self, config: EncodecConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is another codec's, or has no such bandwidth.

        """
        require("numba", self.extra, "encodec")
        self.place = config.place("encodec")
        self._model = load_codec(ENCODEC, config.model, self.place)
        self.place.keep_exact(self._quantizer, "encode")
        self._bandwidth = config.bandwidth
        settings = self._model.config
        if config.bandwidth not in settings.target_bandwidths:
            allowed = ", ".join(f"{rate:g}" for rate in settings.target_bandwidths)
            raise UsageError(
                f"encodec: bandwidth={config.bandwidth:g} is none of {config.model}: {allowed}"
            )
        self.facts = TokenizerFacts(
            name=config.name,
            kind="encodec",
            sample_rate=settings.sampling_rate,
            frame_rate=_frame_rate(settings),
            num_codebooks=self._quantizer.get_num_quantizers_for_bandwidth(config.bandwidth),
            codebook_size=settings.codebook_size,
            weights_digest=weights_digest(
                self._model, bandwidth=config.bandwidth, **self.place.digest_parts
            ),
        )
        self._blocks = None
        if settings.use_causal_conv and settings.chunk_length is None and not settings.normalize:
            from wavemill.tokenizers.causal_blocks import BlockEncoder  # with numba

            self._blocks = BlockEncoder(
                self._model.encoder, settings.hop_length, settings.sampling_rate, self.place
            )

    @property
    def _quantizer(self) -> Any:
        return self._model.quantizer

    def _encode_all(self, clips: Sequence[Tensor]) -> list[Tensor]:
        if self._blocks is None:
            return super()._encode_all(clips)
        codes: list[list[Tensor]] = [[] for _ in clips]
        for number, latents_TD in self._blocks.latents(clips):
            ids_Q1T = self._quantizer.encode(latents_TD.T[None], self._bandwidth)
            codes[number].append(ids_Q1T[:, 0])
        return [torch.cat(pieces, dim=-1) for pieces in codes]

    def _encode(self, clip_N: Tensor) -> Tensor:
        """Encode pieces as the model itself does; take what it fills the last one with away."""
        channels = self._model.config.audio_channels
        encoded = self._model.encode(
            clip_N.expand(1, channels, -1), bandwidth=self._bandwidth, return_dict=True
        )
        codes_QT = torch.cat(list(encoded.audio_codes[:, 0]), dim=-1)
        return codes_QT[:, : codes_QT.shape[-1] - encoded.last_frame_pad_length]

    def _decode(self, codes_QT: Tensor) -> Tensor:
        settings = self._model.config
        frames = codes_QT.shape[-1]
        if settings.chunk_length is not None:
            frames = -(-settings.chunk_length // settings.hop_length)
        pieces = list(codes_QT[:, None].split(frames, dim=-1))
        scale = None
        if settings.normalize:
            scale = torch.tensor([DECODED_RMS], device=codes_QT.device)
        decode = self._model._decode_frame  # noqa: SLF001
        audio = [decode(piece.transpose(0, 1), scale) for piece in pieces]
        if settings.chunk_length is None:
            joined = audio[0]
        else:
            joined = self._model._linear_overlap_add(audio, settings.chunk_stride)  # noqa: SLF001
        audio_N: Tensor = joined[0].mean(dim=0)
        return audio_N


def _frame_rate(settings: Any) -> float:
    """Frames for each second of new audio: pieces that overlap say some of it twice."""
    if settings.chunk_length is None:
        return float(settings.sampling_rate / settings.hop_length)
    frames = -(-settings.chunk_length // settings.hop_length)
    return float(frames * settings.sampling_rate / settings.chunk_stride)
