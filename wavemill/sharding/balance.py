"""How many strips an epoch is cut into: as many as pad durations and tokens alike."""

import numpy as np

from wavemill.sharding.buckets import Floats, Ints
from wavemill.sharding.budget import Budget
from wavemill.sharding.draw import Keys, mix
from wavemill.sharding.flat import longest_of, offsets_of
from wavemill.sharding.packing import Packing, pack

SAMPLES = 1 << 13
"""About as many are planned to find out."""
TRIES = 4


def balanced_strips(
    seconds: Floats, tokens: Ints, keys: Keys, budget: Budget, pool: float
) -> float:
    """Find into how many strips to cut, so that the sum of squares of both paddings is small.

    More strips pad durations less and tokens more, each about in proportion: so a plan of some
    samples says how many would even them out, and a few such steps settle where they do not. Of
    what was tried the best is taken, and scaled to all samples.

    Args:
        seconds: durations, [N].
        tokens: lengths in tokens, [N].
        keys: a number of its own for each sample, [N].
        budget: of a batch.
        pool: batches' worth of samples that are dealt out together.

    """
    count = len(keys)
    if not count:
        return 1.0
    some = _draw_some(keys)
    seconds, tokens, keys = seconds[some], tokens[some], keys[some]
    by_length = np.argsort(seconds)
    batches = float((1 / budget.capacity(seconds, tokens)).sum())
    most = max(batches / pool, 1.0)
    strips = most**0.5
    best, score = strips, np.inf
    for _ in range(TRIES):
        packing = Packing(budget=budget, pool=pool, strips=strips, seed=0, epoch=0)
        order, sizes = pack(seconds, tokens, keys, by_length, packing)
        offsets = offsets_of(sizes)
        longest, most_tokens = longest_of(seconds, tokens, order, offsets)
        added = _mean_padding(seconds[order], offsets, longest)
        added_tokens = _mean_padding(tokens[order], offsets, most_tokens)
        if added**2 + added_tokens**2 < score:
            best, score = strips, added**2 + added_tokens**2
        ratio = max(added, 1e-6) / max(added_tokens, 1e-6)
        following = float(np.clip(strips * np.clip(ratio, 1 / 16, 16) ** 0.5, 1.0, most))
        if following == strips:
            break
        strips = following
    return float(best * (count / max(len(seconds), 1)) ** 0.5)


def _mean_padding(values: Floats | Ints, offsets: Ints, longest: Floats | Ints) -> float:
    """Return the mean of batches' shares of padding: one of huge values counts as any other."""
    real = np.add.reduceat(values, offsets[:-1], dtype=np.float64)
    padded = np.diff(offsets) * longest.astype(np.float64)
    return float(np.mean(1 - np.divide(real, padded, out=np.ones(len(real)), where=padded > 0)))


def _draw_some(keys: Keys) -> Ints:
    """Choose about `SAMPLES` samples by their keys: their positions, in the order of keys."""
    share = SAMPLES / len(keys)
    some = np.arange(len(keys))
    if share < 1:
        some = np.flatnonzero(mix(keys, 0) < np.uint64(share * 2.0**64))
    return some[np.argsort(keys[some])]
