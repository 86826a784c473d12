"""Random weights and clips that a reference and wavemill can both make, from seeds alone."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def random_state(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, Array]:
    """Draw tensors by name: the same whatever the others are.

    Matrices keep the size of what goes through them; codewords have many sizes, so that many are
    used; scales and counts are near 1; biases small.
    """
    return {name: _tensor(name, tuple(shape), seed) for name, shape in shapes.items()}


def _tensor(name: str, shape: tuple[int, ...], seed: int) -> Array:
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    drawn = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) > 1 and max(shape) < np.prod(shape):
        if "embed" in name or "codebook" in name:
            sizes = 10 ** generator.uniform(-1.5, 0.3, (len(drawn), 1))
            return drawn * sizes.astype(np.float32)
        return drawn / np.float32(np.prod(shape[1:])) ** np.float32(0.5)
    if name.endswith("bias") or "bias_" in name:
        return np.float32(0.1) * drawn
    return np.float32(1) + np.float32(0.1) * drawn


def random_clip(samples: int, seed: int) -> Array:
    """Draw a clip [N] in [-1, 1]: noise that gets louder and softer, over a slow tone."""
    noise = np.random.default_rng(seed).standard_normal(samples).astype(np.float32)
    time = np.arange(samples, dtype=np.float64)
    tone, loudness = np.sin(time * 0.05), 0.15 + 0.1 * np.sin(time * 0.0003)
    return np.clip(loudness * (noise + tone), -1, 1).astype(np.float32)
