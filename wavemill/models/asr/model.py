"""The model: from audio or token ids to what CTC and the decoder say of a text.

Shapes end names: B batch, N samples, T frames, Q codebooks, U units of a text, D features,
V units and the blank (or the end), which is the last.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wavemill.models.asr.decoder import TextDecoder
from wavemill.models.asr.front import LogMel, change_tempo, spec_augment
from wavemill.models.asr.settings import AsrConfig
from wavemill.models.asr.subsampling import MelSubsampling, TokenSubsampling
from wavemill.models.conformer import Conformer
from wavemill.models.padding import is_real
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.features import FRAME_RATE, NUM_MELS

BANDS, BAND_WIDTH = 2, 27
TIMES, TIME_SHARE = 10, 0.05
"""Of SpecAugment, as NeMo's conformers have it."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """What the encoder made of a batch."""

    features: Tensor
    """[B, T, D]."""
    frames: Tensor
    """How many of T are real, [B]."""

    @property
    def real(self) -> Tensor:
        """Which frames are not padded, [B, T]."""
        return is_real(self.frames, self.features.shape[1])


class AsrModel(nn.Module):
    """An encoder, a head for CTC, a decoder; without one of the two where its weight is 0."""

    def __init__(self, config: AsrConfig, units: int, stream: TokenizerFacts | None) -> None:
        """Make the model.

        Args:
            config: of the recipe.
            units: of its vocabulary.
            stream: whose ids it takes; audio if None.

        """
        super().__init__()
        self.units, self.ctc_frames = units, config.ctc_frames
        self.augment, self.tempo = config.augment, config.tempo
        self.ctc_weight = config.ctc_weight
        width, heads, dropout = config.width, config.heads, config.dropout
        layers = config.subsampling.bit_length() - 1
        if stream is None:
            self.log_mel = LogMel()
            self.subsampling: MelSubsampling | TokenSubsampling = MelSubsampling(
                mels=NUM_MELS, layers=layers, channels=config.channels, width=width
            )
        else:
            layers = token_layers(stream.frame_rate, config.subsampling)
            self.subsampling = TokenSubsampling(stream=stream, layers=layers, width=width)
        self.encoder = Conformer(
            layers=config.encoder_layers, width=width, heads=heads, dropout=dropout
        )
        self.ctc = self.decoder = None
        if config.ctc_weight > 0:
            self.ctc = nn.Linear(width, config.ctc_frames * (units + 1))
        if config.ctc_weight < 1:
            self.decoder = TextDecoder(
                units=units,
                layers=config.decoder_layers,
                width=width,
                heads=heads,
                dropout=dropout,
            )

    def encode(self, heard: Tensor, lengths_B: Tensor) -> Speech:
        """Return what the encoder makes of a batch.

        Args:
            heard: audio [B, N] at 16 kHz, or token ids [B, T, Q]; what is padded holds anything.
            lengths_B: how much of it is real; at least one frame is taken for it.

        """
        if isinstance(self.subsampling, MelSubsampling):
            features, frames_B = self.log_mel(heard, lengths_B)
            if self.training and self.tempo:
                features, frames_B = change_tempo(features, frames_B, self.tempo)
        else:
            frames_B = lengths_B.clamp(min=1)
            features = self.subsampling.embed(heard, frames_B)
        if self.training and self.augment:
            features = spec_augment(
                features,
                frames_B,
                # Features of tokens have no order that a stretch of them would mean something in.
                bands=BANDS if isinstance(self.subsampling, MelSubsampling) else 0,
                band_width=round(self.augment * BAND_WIDTH),
                times=TIMES,
                time_share=self.augment * TIME_SHARE,
            )
        x_BTD, frames_B = self.subsampling(features, frames_B)
        return Speech(features=self.encoder(x_BTD, frames_B), frames=frames_B)

    def ctc_scores(self, speech: Speech) -> tuple[Tensor, Tensor]:
        """Return log probabilities of units and the blank, [B, T, V] float32, and lengths of T.

        An encoder's frame has `ctc_frames` of them.
        """
        assert self.ctc is not None
        logits = self.ctc(speech.features).float()
        logits_BTV = logits.unflatten(2, (self.ctc_frames, -1)).flatten(1, 2)
        return logits_BTV.log_softmax(-1), speech.frames * self.ctc_frames

    def forward(
        self, heard: Tensor, lengths_B: Tensor, targets_BU: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """Return CTC's log probabilities, lengths of T, and the decoder's logits [B, U + 1, V].

        Args:
            heard: see `encode`.
            lengths_B: of it.
            targets_BU: ids of the texts.

        """
        speech = self.encode(heard, lengths_B)
        scores, frames_B = None, speech.frames
        if self.ctc is not None:
            scores, frames_B = self.ctc_scores(speech)
        logits = None
        if self.decoder is not None:
            logits = self.decoder(targets_BU, speech.features, speech.real)
        return scores, frames_B, logits


def token_layers(frame_rate: float | None, subsampling: int) -> int:
    """Count the halvings that bring a stream near the frames a second that audio would have."""
    target, layers = FRAME_RATE / subsampling, 0
    while frame_rate and frame_rate / 2 ** (layers + 1) >= target * 0.99:
        layers += 1
    return layers


def pad_targets(targets: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Lay ids side by side, [B, U] with U at least 1, and return their lengths."""
    longest = max([1, *map(len, targets)])
    rows = [ids + [0] * (longest - len(ids)) for ids in targets]
    lengths = torch.tensor([len(ids) for ids in targets])
    return torch.tensor(rows).to(device), lengths.to(device)
