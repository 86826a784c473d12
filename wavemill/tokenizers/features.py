"""Log-mel spectra, the features that `mvq` quantizes.

The framing is Kaldi's without `snip_edges`: frame t is centred on sample 160 t + 80, and a clip of
N samples has round-half-up(N / 160) frames, the number that lhotse expects of a 10 ms stream. The
clip is mirrored past its ends, so it has no hard edge there that the spectrum would show.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

FEATURE_KIND = "logmel80-1"
"""Names these features in the files of models fitted on them; changes when their values do."""
SAMPLE_RATE = 16_000
FRAME_RATE = 100.0
NUM_MELS = 80

WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
LIMITS_HZ = 20.0, 7600.0
# Below this lie the rounding of 16-bit audio and what resamplers leave above 4 kHz of telephone
# speech: neither should reach the tokens. An average band of speech at -26 dBFS lies near 1.
FLOOR = 1e-7
_CHUNK_FRAMES = 1024  # keeps the temporaries of an hour-long clip small and in cache


def num_frames(num_samples: int) -> int:
    """Count the frames of a clip: round-half-up(N / 160), but at least one."""
    return max(1, (num_samples + HOP_SAMPLES // 2) // HOP_SAMPLES)


def _mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hz, dtype=np.float64) / 700.0)


def mel_bands(
    fft_samples: int, sample_rate: int, num_mels: int, limits_hz: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Make a filter bank, [fft_samples / 2 + 1, mels]: HTK's triangles, linear in mel, peak 1.

    Source: Young et al., The HTK Book, 5.4, as Kaldi computes it (triangles in mel, not in Hz).
    """
    bins = _mel(np.arange(fft_samples // 2 + 1) * (sample_rate / fft_samples))
    low, high = _mel(limits_hz)
    edges = np.linspace(low, high, num_mels + 2)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    weights: npt.NDArray[np.float32] = np.maximum(0.0, np.minimum(rising, falling)).astype(
        np.float32
    )
    return weights


@lru_cache(maxsize=1)
def mel_matrix() -> torch.Tensor:
    """Make the filter bank, [257, 80] float32."""
    return torch.from_numpy(mel_bands(FFT_SAMPLES, SAMPLE_RATE, NUM_MELS, LIMITS_HZ))


@lru_cache(maxsize=1)
def _window() -> torch.Tensor:
    return torch.hann_window(WINDOW_SAMPLES, periodic=False, dtype=torch.float32)


def _frames(clip: npt.NDArray[np.float32], device: str) -> torch.Tensor:
    """Cut overlapping windows, a view of shape [T, 400]."""
    count = num_frames(len(clip))
    before = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    after = (count - 1) * HOP_SAMPLES + WINDOW_SAMPLES - before - len(clip)
    padded = np.pad(clip, (before, after), mode="symmetric")
    return torch.from_numpy(padded).to(device).unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)


def _log_mel(frames: torch.Tensor) -> torch.Tensor:
    spectrum = torch.view_as_real(
        torch.fft.rfft(frames * _window().to(frames.device), n=FFT_SAMPLES)
    )
    power = spectrum.square().sum(dim=-1)
    return (power @ mel_matrix().to(power.device)).clamp_(min=FLOOR).log_()


def log_mel(clip: npt.NDArray[np.float32], device: str = "cpu") -> npt.NDArray[np.float32]:
    """Compute the natural logarithm of 80 mel bands, 20-7600 Hz, every 10 ms.

    25 ms Hann windows, no dither, no pre-emphasis. One clip at a time, so the result does not
    depend on what else is computed.

    Args:
        clip: mono, [N] float32 in [-1, 1] at 16 kHz; N >= 1.
        device: of torch, where it is computed.

    Returns:
        [T, 80] float32 with T = `num_frames(N)`.

    Raises:
        ValueError: the clip is empty or not one-dimensional.

    """
    if clip.ndim != 1 or not len(clip):
        raise ValueError(f"log_mel takes a mono clip [N] with N >= 1; got shape {clip.shape}")
    frames = _frames(np.asarray(clip, dtype=np.float32), device)
    out = np.empty((len(frames), NUM_MELS), dtype=np.float32)
    for start in range(0, len(frames), _CHUNK_FRAMES):
        chunk = slice(start, start + _CHUNK_FRAMES)
        out[chunk] = _log_mel(frames[chunk]).cpu().numpy()
    return out
