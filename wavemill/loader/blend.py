"""How often samples of each dataset come in an epoch, so that datasets mix by weight."""

import math
from collections.abc import Sequence

from wavemill.errors import UsageError
from wavemill.specs import check_range

MAX_REPEATS = 10_000
"""More would be a slip of the weights."""


def repeats(
    samples: Sequence[int], weights: Sequence[float] | None = None, temperature: float = 1.0
) -> list[float]:
    """Return how often a sample of each dataset comes in an epoch, 1 or more.

    The dataset that its weight favours least comes once, whole; samples of the others come again.

    Args:
        samples: how many each dataset holds, 1 or more.
        weights: shares that batches' samples should have by dataset, in any unit; the datasets'
            own sizes if None.
        temperature: weights are raised to `1 / temperature`, so that above 1 rare datasets come
            more often (https://arxiv.org/abs/1907.05019).

    Raises:
        UsageError: a weight is not above 0, or asks for too many repeats.

    """
    check_range("temperature", temperature, 1e-3, 1e6)
    shares = [float(weight) for weight in (samples if weights is None else weights)]
    if len(shares) != len(samples):
        raise UsageError(f"{len(shares)} weights for {len(samples)} datasets; give one for each")
    if not all(math.isfinite(share) and share > 0 for share in shares):
        raise UsageError("weights must be above 0; leave a dataset out that should not come")
    logs = [math.log(share) / temperature - math.log(count)
            for share, count in zip(shares, samples, strict=True)]  # fmt: skip
    if max(logs) - min(logs) > math.log(MAX_REPEATS):
        raise UsageError(
            f"by these weights a dataset would come over {MAX_REPEATS:,} times in an epoch;"
            " give it less weight"
        )
    # To nine digits: equal logarithms may differ in their last bit.
    return [round(math.exp(log - min(logs)), 9) for log in logs]
