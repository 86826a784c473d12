"""Segments of frames as numbers, [B, F] int64: of each frame its segment's, 0 where it has none.

No number is over F.

Given by the times of a stream, or by hills of loudness; found in features they are in `online.py`.

Shapes end names: B batch, N samples, F frames, D features, S segments.
"""

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.models.sylber.bands import FIELD, HOP, power_spectra

FRAME_RATE = 50.0
BAND_BINS = (8, 75)
"""Of 400 samples at 16 kHz: 300 to 3,000 Hz, where vowels are loud."""
SMOOTHED = (1, 3, 6, 7, 6, 3, 1)
"""Weights of frames that loudness is averaged with: about 60 ms."""
QUIET_DB = 30.0
"""So far below a clip's loudest frame nothing is spoken."""


def of_times(times_BS2: Tensor, lengths_B: Tensor, frames: int) -> Tensor:
    """Return for each frame the number of the segment that holds their middle.

    Args:
        times_BS2: begin and end of segments in seconds, in order.
        lengths_B: how many of S are real.
        frames: F.

    """
    middle_F = (torch.arange(frames, device=times_BS2.device) * HOP + FIELD / 2) / 16_000
    begin_BSF = times_BS2[:, :, :1] <= middle_F
    end_BSF = times_BS2[:, :, 1:] > middle_F
    real_BS1 = (torch.arange(times_BS2.shape[1], device=lengths_B.device) < lengths_B[:, None])[
        :, :, None
    ]
    numbers_S1 = torch.arange(1, times_BS2.shape[1] + 1, device=lengths_B.device)[:, None]
    found_BF = ((begin_BSF & end_BSF & real_BS1) * numbers_S1).sum(1)
    # Many short segments may lie between two frames: numbers stay below that of frames.
    return torch.where(found_BF > 0, starts(found_BF).cumsum(1), 0)


def starts(segments_BF: Tensor) -> Tensor:
    """Return in which frames a segment begins, [B, F] bool."""
    before_BF = functional.pad(segments_BF[:, :-1], (1, 0))
    return (segments_BF != before_BF) & (segments_BF > 0)


def of_loudness(wave_BN: Tensor, frames_B: Tensor) -> Tensor:
    """Return for each frame the number of its hill of loudness, a syllable's nucleus.

    Loudness is that of the band of vowels, cut where it is least between two hills (Mermelstein,
    "Automatic segmentation of speech into syllabic units", 1975, without his convex hull).

    Args:
        wave_BN: clips at 16 kHz.
        frames_B: how many frames of each are real.

    """
    band_BF = power_spectra(wave_BN)[:, :, BAND_BINS[0] : BAND_BINS[1]].sum(2)
    loud_BF = 10 * (band_BF + 1e-10).log10()
    real_BF = torch.arange(loud_BF.shape[1], device=wave_BN.device) < frames_B[:, None]
    loudest_B1 = loud_BF.masked_fill(~real_BF, -torch.inf).amax(1, keepdim=True)
    loud_BF = torch.where(real_BF, loud_BF, loudest_B1 - QUIET_DB).maximum(loudest_B1 - QUIET_DB)
    weights = torch.tensor(SMOOTHED, dtype=loud_BF.dtype, device=loud_BF.device)
    half = len(SMOOTHED) // 2
    edged = functional.pad(loud_BF[:, None], (half, half), mode="replicate")
    smooth_BF = functional.conv1d(edged, (weights / weights.sum())[None, None])[:, 0]
    before_BF = functional.pad(smooth_BF[:, :-1], (1, 0), value=-torch.inf)
    after_BF = functional.pad(smooth_BF[:, 1:], (0, 1), value=-torch.inf)
    valley_BF = (smooth_BF < before_BF) & (smooth_BF <= after_BF)
    numbers_BF = valley_BF.cumsum(1) + 1
    spoken_BF = real_BF & (smooth_BF > loudest_B1 - QUIET_DB + 1)
    return torch.where(spoken_BF, numbers_BF, 0)


def segment_means(features_BFD: Tensor, segments_BF: Tensor) -> Tensor:
    """Give each frame the mean of its segment, and zeros where it has none, [B, F, D]."""
    index_BFD = segments_BF[:, :, None].expand_as(features_BFD)
    most = features_BFD.shape[1] + 1
    sums = features_BFD.new_zeros(len(features_BFD), most, features_BFD.shape[2])
    sums = sums.scatter_add(1, index_BFD, features_BFD)
    counts = torch.zeros_like(sums[:, :, 0]).scatter_add(
        1, segments_BF, torch.ones_like(features_BFD[:, :, 0])
    )
    means = sums / counts.clamp(min=1)[:, :, None]
    return means.gather(1, index_BFD).masked_fill((segments_BF == 0)[:, :, None], 0)
