"""What the encoder hears of audio: log-mel bands, 100 times a second, SpecAugment, other tempos.

Audio that is padded is silenced first, so a clip's features do not depend on its batch.

Shapes end names: B batch, N samples, T frames, M mel bands.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.padding import is_real, silenced
from wavemill.tokenizers.features import (
    FFT_SAMPLES,
    FLOOR,
    HOP_SAMPLES,
    LIMITS_HZ,
    NUM_MELS,
    SAMPLE_RATE,
    WINDOW_SAMPLES,
    mel_bands,
)

RANGE = 8 * math.log(10)
"""Of what is heard, below the loudest band of a clip: 80 dB."""


class LogMel(nn.Module):
    """Log-mel bands, -1 to 1 over the 80 dB below the clip's loudest, as Whisper takes them.

    Bands are not made alike one by one, as NeMo does it: a clip of one word would lose its sound.
    """

    window: Tensor
    mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        bands = mel_bands(FFT_SAMPLES, SAMPLE_RATE, NUM_MELS, LIMITS_HZ)
        window = torch.hann_window(WINDOW_SAMPLES, periodic=False)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mel", torch.tensor(bands.tolist()), persistent=False)

    @torch.no_grad()
    def forward(self, audio_BN: Tensor, samples_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [B, T, M], 0 where padded, and how many of T are real, [B].

        Args:
            audio_BN: float32 at 16 kHz.
            samples_B: how many of N are real.

        """
        with torch.autocast(audio_BN.device.type, enabled=False):
            logs_BTM = self._logs(audio_BN, samples_B)
            frames_B = num_frames(samples_B)
            real_BT1 = is_real(frames_B, logs_BTM.shape[1])[:, :, None]
            loudest_B11 = logs_BTM.masked_fill(~real_BT1, math.log(FLOOR)).amax(
                (1, 2), keepdim=True
            )
            heard_BTM = (logs_BTM - loudest_B11 + RANGE).clamp(min=0) * (2 / RANGE) - 1
            return heard_BTM * real_BT1, frames_B

    def _logs(self, audio_BN: Tensor, samples_B: Tensor) -> Tensor:
        samples = audio_BN.shape[1]
        frames = max((samples + HOP_SAMPLES - 1) // HOP_SAMPLES, 1)
        before = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
        after = (frames - 1) * HOP_SAMPLES + WINDOW_SAMPLES - before - samples
        real_BN = silenced(audio_BN, samples_B)
        windows_BTN = functional.pad(real_BN, (before, after)).unfold(
            1, WINDOW_SAMPLES, HOP_SAMPLES
        )
        spectrum = torch.view_as_real(torch.fft.rfft(windows_BTN * self.window, n=FFT_SAMPLES))
        return (spectrum.square().sum(-1) @ self.mel).clamp(min=FLOOR).log()


def num_frames(samples_B: Tensor) -> Tensor:
    """Count the frames of clips: those that begin within, at least one."""
    return ((samples_B + HOP_SAMPLES - 1) // HOP_SAMPLES).clamp(min=1)


def spec_augment(
    features_BTM: Tensor,
    frames_B: Tensor,
    *,
    bands: int,
    band_width: int,
    times: int,
    time_share: float,
) -> Tensor:
    """Silence bands and stretches of time (https://arxiv.org/abs/1904.08779).

    Shapes do not depend on what is drawn; it is drawn from torch's generator.

    Args:
        features_BTM: of which 0 is about the mean.
        frames_B: how many of T are real.
        bands: stretches of bands.
        band_width: of each at most.
        times: stretches of time.
        time_share: of each at most, of a clip's frames.

    """
    size, frames, num_bands = features_BTM.shape
    places_T = torch.arange(frames, device=features_BTM.device)
    places_M = torch.arange(num_bands, device=features_BTM.device)
    band_BM = _stretches(size, bands, places_M, torch.full_like(frames_B, num_bands), band_width)
    time_BT = _stretches(size, times, places_T, frames_B, time_share * frames_B)
    return features_BTM.masked_fill(band_BM[:, None] | time_BT[:, :, None], 0.0)


def change_tempo(features_BTM: Tensor, frames_B: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Have clips be spoken faster or slower, each by a factor of its own.

    Tempo perturbation (https://www.danielpovey.com/files/2015_interspeech_augmentation.pdf), of
    features: what lies between two frames is drawn as a line. Shapes do not depend on what is
    drawn; it is drawn from torch's generator.

    Args:
        features_BTM: 0 where padded.
        frames_B: how many of T are real.
        most: the factors are 1 - most to 1 + most.

    Returns:
        Features, [B, T (1 + most), M], 0 where padded, and how many frames of them are real.

    """
    size, frames, _ = features_BTM.shape
    factor_B = 1 + most * (2 * torch.rand(size, device=features_BTM.device) - 1)
    longest = math.ceil(frames * (1 + most))
    new_B = (frames_B * factor_B).round().long().clamp(1, longest)
    places_BT = torch.arange(longest, device=features_BTM.device) / factor_B[:, None]
    places_BT = torch.minimum(places_BT, frames_B[:, None] - 1)
    before_BT = places_BT.long()
    after_BT = torch.minimum(before_BT + 1, frames_B[:, None] - 1)
    rows_B1 = torch.arange(size, device=features_BTM.device)[:, None]
    found_BTM = features_BTM[rows_B1, before_BT].lerp(
        features_BTM[rows_B1, after_BT], (places_BT - before_BT)[:, :, None]
    )
    return found_BTM * is_real(new_B, longest)[:, :, None], new_B


def _stretches(
    size: int, count: int, places: Tensor, lengths_B: Tensor, longest: Tensor | float
) -> Tensor:
    """Draw which places lie in any of some stretches, [B, places] bool."""
    draws = torch.rand(2, size, count, 1, device=places.device)
    limit = longest[:, None, None] if isinstance(longest, Tensor) else longest
    widths = (draws[0] * (limit + 1)).floor()
    starts = (draws[1] * (lengths_B[:, None, None] - widths + 1).clamp(min=1)).floor()
    return ((places >= starts) & (places < starts + widths)).any(1)
