"""The model of `spear`: a conformer over the filter bank, and a head for each stream.

Shapes end names: B batch, N samples, F frames of the filter bank, T frames of the encoder, D
features, U tokens, Q codebooks, K ids of a codebook.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.conformer import Conformer
from wavemill.models.fbank import batch_fbank
from wavemill.models.padding import is_real, silenced
from wavemill.models.spear.masking import draw_spans
from wavemill.models.spear.settings import Clock, SpearConfig, clock_of
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.beats_fbank import HOP_SAMPLES, MEL_BINS, WINDOW_SAMPLES
from wavemill.tokenizers.features import num_frames

_BEFORE = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
"""Silence before a clip, with which frame f is centred on sample 160 f + 80, as `mvq`'s are."""
INIT_STD = 0.02


class SpearModel(nn.Module):
    """From audio to logits of the tokens of each stream."""

    def __init__(self, config: SpearConfig, streams: list[TokenizerFacts]) -> None:
        """Draw its weights."""
        super().__init__()
        self.config = config
        self.embed = nn.Linear(MEL_BINS * config.subsample, config.width)
        self.embed_norm = nn.LayerNorm(config.width)
        self.mask_embedding = nn.Parameter(torch.empty(config.width))
        self.encoder = Conformer(
            layers=config.layers, width=config.width, heads=config.heads, dropout=config.dropout
        )
        self.heads = nn.ModuleList(
            Head(config.width, stream, clock_of(stream, config.subsample)) for stream in streams
        )
        nn.init.normal_(self.mask_embedding, std=INIT_STD)

    def forward(self, audio_BN: Tensor, samples_B: Tensor, tokens: list[int]) -> list[Tensor]:
        """Return logits of each stream, [B, U, Q, K], of clips of which spans are hidden.

        Args:
            audio_BN: float32 at 16 kHz.
            samples_B: how many of N are real.
            tokens: of each stream with padding, U.

        """
        clocks = [head.clock for head in self.heads]
        frames = max(clock.frames(count) for clock, count in zip(clocks, tokens, strict=True))  # type: ignore[operator,union-attr]
        x_BTD = self.hide(self.hear(audio_BN, samples_B, frames))
        frames_B = self.count_frames(samples_B).clamp(max=frames)
        hidden_BTD = self.encoder(x_BTD, frames_B)
        hidden_BTD = hidden_BTD.masked_fill(~is_real(frames_B, frames)[:, :, None], 0.0)
        return [head(hidden_BTD, count) for head, count in zip(self.heads, tokens, strict=True)]

    def hear(self, audio_BN: Tensor, samples_B: Tensor, frames: int) -> Tensor:
        """Return what the encoder takes of each of so many frames, [B, T, D]."""
        stacked_BTM = self.stack(audio_BN, samples_B, frames)
        return self.embed_norm(self.embed(stacked_BTM))  # type: ignore[no-any-return]

    def stack(self, audio_BN: Tensor, samples_B: Tensor, frames: int) -> Tensor:
        """Return the filter bank of each of so many frames, [B, T, 128 * subsample]."""
        audio_BN = functional.pad(silenced(audio_BN, samples_B), (_BEFORE, 0))
        fbank_BFM = batch_fbank(audio_BN, frames * self.config.subsample)
        return fbank_BFM.unflatten(1, (frames, self.config.subsample)).flatten(2)  # type: ignore[no-any-return]

    def hide(self, x_BTD: Tensor) -> Tensor:
        """Put the mask's features in place of spans of frames, and zeros in place of features."""
        config, (size, frames, width) = self.config, x_BTD.shape
        times_BT = draw_spans(size, frames, config.mask, config.mask_frames, x_BTD.device)
        x_BTD = torch.where(times_BT[:, :, None], self.mask_embedding.to(x_BTD.dtype), x_BTD)
        channels_BD = draw_spans(
            size, width, config.channel_mask, config.mask_channels, x_BTD.device
        )
        return x_BTD.masked_fill(channels_BD[:, None], 0.0)

    def count_frames(self, samples_B: Tensor) -> Tensor:
        """Count the encoder's frames of clips, at least one, [B]."""
        heard_B = ((samples_B + HOP_SAMPLES // 2) // HOP_SAMPLES).clamp(min=1)
        return (heard_B + self.config.subsample - 1) // self.config.subsample

    def frames_of(self, samples: int) -> int:
        """Count the encoder's frames of so many samples."""
        return -(-num_frames(samples) // self.config.subsample)

    def features(self, audio_BN: Tensor, samples_B: Tensor) -> tuple[Tensor, Tensor]:
        """Encode whole clips, nothing hidden.

        Args:
            audio_BN: float32 at 16 kHz.
            samples_B: how many of N are real.

        Returns:
            Features, [B, T, D], and how many frames are real, [B].

        """
        frames = self.frames_of(audio_BN.shape[1])
        frames_B = self.count_frames(samples_B)
        return self.encoder(self.hear(audio_BN, samples_B, frames), frames_B), frames_B


class Head(nn.Module):
    """From the encoder's frames to logits of a stream's tokens."""

    def __init__(self, width: int, stream: TokenizerFacts, clock: Clock) -> None:
        super().__init__()
        self.clock, self.shape = clock, (clock.each, stream.num_codebooks, stream.codebook_size)
        self.layer = nn.Linear(width, clock.each * stream.num_codebooks * stream.codebook_size)

    def forward(self, x_BTD: Tensor, tokens: int) -> Tensor:
        """Return logits, [B, U, Q, K]."""
        if self.clock.pooled > 1:
            short = -x_BTD.shape[1] % self.clock.pooled
            x_BTD = functional.pad(x_BTD, (0, 0, 0, short))
            x_BTD = x_BTD.unflatten(1, (-1, self.clock.pooled)).mean(2)
        logits = self.layer(x_BTD).unflatten(2, self.shape).flatten(1, 2)
        return logits[:, :tokens]  # type: ignore[no-any-return]
