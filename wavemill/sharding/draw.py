"""Random numbers that belong to samples: a pure function of a sample's key and some numbers.

Unlike a generator's stream they do not depend on the order of samples, nor on how many there are.
"""

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]


def mix(keys: Keys, seed: int) -> Keys:
    """Scramble keys with a seed: splitmix64's finalizer (Steele et al., 2014).

    Args:
        keys: one a sample, [N].
        seed: 0 or more.

    """
    gamma = np.uint64((0x9E3779B97F4A7C15 * (seed + 1)) % 2**64)
    mixed = keys ^ gamma
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def uniform(keys: Keys, *seeds: int) -> npt.NDArray[np.float64]:
    """Draw a number from 0 up to 1 for each key, [N]; other seeds give unrelated ones."""
    for seed in seeds:
        keys = mix(keys, seed)
    return as_uniform(keys)


def as_uniform(draws: Keys) -> npt.NDArray[np.float64]:
    """Turn what `mix` made into numbers from 0 up to 1, [N]."""
    return (draws >> np.uint64(11)).astype(np.float64) * 2.0**-53
