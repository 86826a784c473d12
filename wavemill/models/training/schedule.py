"""Learning rates over time, as shares of the highest; pure functions of the step."""

import math
from collections.abc import Callable

FLOOR = 0.1
"""What is left of the rate at the end of a cosine or a line."""


def _constant(step: int, warmup: int, steps: int) -> float:
    del step, warmup, steps
    return 1.0


def _linear(step: int, warmup: int, steps: int) -> float:
    return 1 - (1 - FLOOR) * _way(step, warmup, steps)


def _cosine(step: int, warmup: int, steps: int) -> float:
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * _way(step, warmup, steps))) / 2


def _inverse_square_root(step: int, warmup: int, steps: int) -> float:
    """After https://arxiv.org/abs/1706.03762: it does not depend on the number of steps."""
    del steps
    return math.sqrt(max(warmup, 1) / max(step + 1, warmup, 1))


def _way(step: int, warmup: int, steps: int) -> float:
    """Return how much of the way from the warm-up to the end is done, 0 to 1."""
    return min(max(step + 1 - warmup, 0) / max(steps - warmup, 1), 1.0)


SCHEDULES: dict[str, Callable[[int, int, int], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "inverse-sqrt": _inverse_square_root,
    "linear": _linear,
}


def rate(schedule: str, step: int, warmup: int, steps: int) -> float:
    """Return the share of the highest learning rate that a step has.

    Args:
        schedule: a name in `SCHEDULES`.
        step: counted from 0.
        warmup: steps in which the rate rises in a line.
        steps: of the whole run.

    """
    rising = min((step + 1) / warmup, 1.0) if warmup else 1.0
    return rising * SCHEDULES[schedule](step, warmup, steps)
