"""Random weights that any environment draws alike: a golden file need not store them."""

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def random_state(
    shapes: Mapping[str, Sequence[int]], seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Draw a weight for every name: each from its own name and the seed, in whatever order.

    Matrices and kernels keep the size of what goes through them, biases are small, and the rest
    (norms, gains, slopes) lie in 0.2 to 1.2.
    """
    return {name: _draw(name, tuple(shape), seed) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    fan_in = math.prod(shape[1:])
    if name.endswith("bias"):
        values = generator.normal(0, 0.1, shape)
    elif len(shape) > 1 and fan_in > 1:
        values = generator.normal(0, fan_in**-0.5, shape)
    else:
        values = generator.uniform(0.2, 1.2, shape)
    return values.astype(np.float32)


def random_clip(num_samples: int, seed: int) -> npt.NDArray[np.float32]:
    """Draw noise that swells and fades, in [-1, 1]."""
    generator = np.random.default_rng([seed, num_samples])
    swell = np.sin(np.arange(num_samples) * 2e-4) ** 2 * 0.3 + 0.01
    noise: npt.NDArray[np.float64] = generator.normal(0, 1, num_samples) * swell
    return noise.clip(-1, 1).astype(np.float32)
