"""Texts by CTC alone: the best path, and a beam of prefixes (https://arxiv.org/abs/1408.2873).

Shapes end names: T frames, V units and the blank, which is the last.
"""

import math
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from wavemill.models.asr.hypotheses import Hypothesis, best

Scores = npt.NDArray[np.float32]
NEVER = float("-inf")
MIN_LOG_PROBABILITY = -12.0
"""Units that are less probable in a frame are not tried in it."""


def best_path(scores_TV: Scores) -> Hypothesis:
    """Return the text of the most probable unit of each frame, and the probability of that path.

    Args:
        scores_TV: log probabilities of real frames.

    """
    ids = scores_TV.argmax(1)
    blank = scores_TV.shape[1] - 1
    changes = np.concatenate([[True], ids[1:] != ids[:-1]])
    kept = ids[changes & (ids != blank)]
    return Hypothesis(
        ids=tuple(kept.tolist()), log_probability=float(scores_TV.max(1).sum(dtype=np.float64))
    )


def prefix_search(
    scores_TV: Scores,
    *,
    beam: int,
    count: int,
    candidates: int | None = None,
    least: float = MIN_LOG_PROBABILITY,
) -> list[Hypothesis]:
    """Return the texts that CTC gives the highest scores, as far as a beam finds them.

    A text's probability is that of all its paths that stayed in the beam.

    Args:
        scores_TV: log probabilities of real frames.
        beam: prefixes that are kept after each frame.
        count: texts to return at most.
        candidates: units that are tried in a frame; twice the beam if None.
        least: log probability of a unit that is tried.

    """
    blank = scores_TV.shape[1] - 1
    # Of each prefix: the log probability of its paths that end in a blank, and of the others.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    for scores_V in scores_TV.astype(np.float64):
        after = float(scores_V[blank])
        units = _tried(scores_V[:blank], candidates or 2 * beam, least)
        grown: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [NEVER, NEVER])
        for prefix, (in_blank, in_unit) in beams.items():
            either = _add(in_blank, in_unit)
            stays = grown[prefix]
            stays[0] = _add(stays[0], either + after)
            last = prefix[-1] if prefix else -1
            for unit, score in units:
                longer = grown[(*prefix, unit)]
                if unit == last:  # said again it is the same unit, unless there was a blank
                    stays[1] = _add(stays[1], in_unit + score)
                    longer[1] = _add(longer[1], in_blank + score)
                else:
                    longer[1] = _add(longer[1], either + score)
        ranked = sorted(grown.items(), key=lambda item: (-_add(*item[1]), item[0]))
        beams = {prefix: (parts[0], parts[1]) for prefix, parts in ranked[:beam]}
    found = (
        Hypothesis(ids=prefix, log_probability=_add(*parts)) for prefix, parts in beams.items()
    )
    return best((one for one in found if one.log_probability > NEVER), count)


def _tried(scores_V: npt.NDArray[np.float64], count: int, least: float) -> list[tuple[int, float]]:
    units = np.argsort(-scores_V, kind="stable")[:count]
    return [(int(unit), float(scores_V[unit])) for unit in units if scores_V[unit] >= least]


def _add(first: float, second: float) -> float:
    """Return log(exp(first) + exp(second))."""
    high, low = (first, second) if first >= second else (second, first)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))
