"""Features that Sylber's segmentation was run on, made again from seeds."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile

from tests.conftest import SPEECH
from wavemill.tokenizers.features import log_mel

MATRICES = 1200

Case = tuple[npt.NDArray[np.float32], float, float]
"""Features [T, D], norm threshold, merge threshold."""


def random_cases() -> Iterator[Case]:
    """Yield noise, noisy steps with gaps, and walks, of 0 to 120 frames."""
    for seed in range(MATRICES):
        random = np.random.default_rng(seed)
        frames, dim = int(random.integers(0, 121)), int(random.choice([4, 16, 64]))
        if seed % 3 == 0:
            features = random.standard_normal((frames, dim))
        else:
            features = steps(random, frames, dim, float(random.uniform(0.1, 1.2)))
        if seed % 3 == 2:
            features = np.cumsum(features / 2, axis=0)
        norm, merge = random.choice([0.0, 1.0, 2.6]), random.choice([0.3, 0.5, 0.8, 0.9])
        yield features.astype(np.float32), float(norm), float(merge)


def steps(
    random: np.random.Generator, frames: int, dim: int, noise: float
) -> npt.NDArray[np.float64]:
    """Draw one vector a syllable with noise around it, and now and then some quiet frames."""
    parts, made = [np.zeros((0, dim))], 0
    while made < frames:
        length = int(random.integers(4, 19))
        syllable = random.standard_normal(dim)
        part = 5 * (syllable + noise * random.standard_normal((length, dim))) / dim**0.5
        gap = 0.1 * random.standard_normal((int(random.integers(1, 8)), dim)) / dim**0.5
        parts += [part, gap] if random.random() < 0.25 else [part]
        made = sum(map(len, parts))
    return np.concatenate(parts)[:frames]


def speech_cases() -> Iterator[Case]:
    """Yield the log-mel frames of real clips, moved to where silence is near zero."""
    for path in sorted((SPEECH / "audio").glob("*.flac")):
        features = log_mel(soundfile.read(path, dtype="float32")[0])
        yield features + np.float32(6), 25.0, 0.8
