"""What every BEATs hears: Kaldi's filter bank in patches of 16 mel bins x 160 ms."""

import torch
from torch import Tensor
from torch.nn import functional
from torchaudio.compliance import kaldi

SAMPLE_RATE = 16_000
MEL_BINS = 128
FBANK_MEAN = 15.41663
FBANK_STD = 6.55582
PATCH = 16
PATCHES_A_STEP = MEL_BINS // PATCH
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
SHORTEST_SAMPLES = WINDOW_SAMPLES + (PATCH - 1) * HOP_SAMPLES
"""One patch of time; shorter clips are filled with silence."""
BLOCK_FRAMES = 9600
"""How many frames are worked out at once, of 96 s: the spectra of an hour would take gigabytes."""
STEP_SECONDS = PATCH * HOP_SAMPLES / SAMPLE_RATE
FRAME_RATE = PATCHES_A_STEP / STEP_SECONDS


def filter_bank(clip_N: Tensor) -> Tensor:
    """Kaldi's log mel filter bank of a clip [N] in [-1, 1] at 16 kHz: [F, 128], 25/10 ms."""
    frames = 1 + (len(clip_N) - WINDOW_SAMPLES) // HOP_SAMPLES
    parts = []
    for first in range(0, frames, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, frames) - 1
        block_N = clip_N[first * HOP_SAMPLES : last * HOP_SAMPLES + WINDOW_SAMPLES]
        parts.append(
            kaldi.fbank(
                block_N[None] * 2**15,
                num_mel_bins=MEL_BINS,
                sample_frequency=SAMPLE_RATE,
                dither=0.0,
            )
        )
    return torch.cat(parts)


def normalised_fbank(clip_N: Tensor, mean: float = FBANK_MEAN, std: float = FBANK_STD) -> Tensor:
    """Normalise the filter bank of a clip and cut it to whole steps of time: [16 S, 128]."""
    clip_N = functional.pad(clip_N, (0, max(0, SHORTEST_SAMPLES - len(clip_N))))
    steps = (1 + (len(clip_N) - WINDOW_SAMPLES) // HOP_SAMPLES) // PATCH
    return (filter_bank(clip_N)[: steps * PATCH] - mean) / (2 * std)


def patches(fbank_FM: Tensor) -> Tensor:
    """Cut a filter bank [16 S, 128] into patches [8 S, 256], time-major, low bins first."""
    steps = len(fbank_FM) // PATCH
    grid = fbank_FM.reshape(steps, PATCH, PATCHES_A_STEP, PATCH).transpose(1, 2)
    return grid.reshape(steps * PATCHES_A_STEP, PATCH * PATCH)
