"""What CTC says of texts that are not at their end: the probability of all that begin so.

After https://arxiv.org/abs/1609.06773, but without a loop over frames: both of the recursions
there are linear in the probabilities, so a cumulative sum solves each.

    r(t) = (r(t - 1) + a(t - 1)) p(t)   is   r(t) = P(t) sum of a(s - 1) / P(s - 1) over s <= t,
                                             P(t) being the product of p up to t

Sums are of float64, since P becomes small: 1000 frames leave eight digits.

Shapes end names: B utterances, K hypotheses of each, C units that may follow, T frames,
V units and the blank, which is the last.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.models.padding import is_real

NEVER = float("-inf")
SILENT = -1e4


@dataclass(kw_only=True)
class Prefixes:
    """Log probabilities of paths that spell a hypothesis up to a frame, [B, K, T + 1] float64.

    Place t is after t frames.
    """

    in_unit: Tensor
    """Those that end in its last unit."""
    in_blank: Tensor
    """Those that end in a blank, or are empty."""

    @property
    def either(self) -> Tensor:
        """All of them."""
        return torch.logaddexp(self.in_unit, self.in_blank)

    def choose(self, rows_BK: Tensor) -> "Prefixes":
        """Return hypotheses by their numbers among those of their utterance."""
        index = rows_BK[:, :, None].expand(-1, -1, self.in_unit.shape[2])
        return Prefixes(
            in_unit=self.in_unit.gather(1, index), in_blank=self.in_blank.gather(1, index)
        )


class CtcPrefixScorer:
    """Scores hypotheses of a batch of utterances as they grow."""

    def __init__(self, scores_BTV: Tensor, frames_B: Tensor) -> None:
        """Take what CTC heard.

        Args:
            scores_BTV: log probabilities.
            frames_B: how many of T are real.

        """
        padded_BT = ~is_real(frames_B, scores_BTV.shape[1])
        # Nothing is heard in a padded frame, and nothing looks at what comes after the real ones.
        self._scores_BTV = scores_BTV.double().masked_fill(padded_BT[:, :, None], SILENT)
        self._frames_B = frames_B
        self._blank_sums_BT = functional.pad(self._scores_BTV[:, :, -1].cumsum(1), (1, 0))

    def start(self, beam: int) -> Prefixes:
        """Return the empty hypothesis, `beam` times for each utterance: [B, K, T + 1]."""
        in_blank = self._blank_sums_BT[:, None].repeat(1, beam, 1)
        return Prefixes(in_unit=torch.full_like(in_blank, NEVER), in_blank=in_blank)

    def end(self, prefixes: Prefixes) -> Tensor:
        """Return the log probability of hypotheses as whole texts, [B, K]."""
        size, beam, _ = prefixes.in_blank.shape
        place = self._frames_B[:, None, None].expand(size, beam, 1)
        return prefixes.either.gather(2, place)[:, :, 0]

    def following(self, prefixes: Prefixes, last_BK: Tensor, units_BKC: Tensor) -> Tensor:
        """Return the log probability of all texts that begin so and go on so, [B, K, C].

        Args:
            prefixes: how they begin.
            last_BK: the last unit of each; any number that is no unit for empty ones.
            units_BKC: what may follow it.

        """
        scores_BKCT = self._scores_of(units_BKC)
        before = _before(prefixes, last_BK, units_BKC)
        return (before[..., :-1] + scores_BKCT).logsumexp(-1)

    def grow(self, prefixes: Prefixes, last_BK: Tensor, units_BK: Tensor) -> Prefixes:
        """Return hypotheses with a unit more."""
        scores_BKT = self._scores_of(units_BK[:, :, None])[:, :, 0]
        before = _before(prefixes, last_BK, units_BK[:, :, None])[:, :, 0, :-1]
        in_unit = _solve(before, functional.pad(scores_BKT.cumsum(-1), (1, 0)))
        in_blank = _solve(in_unit[..., :-1], self._blank_sums_BT[:, None])
        return Prefixes(in_unit=in_unit, in_blank=in_blank)

    def _scores_of(self, units_BKC: Tensor) -> Tensor:
        """Return what was heard of units, [B, K, C, T]."""
        units_B1C = units_BKC.flatten(1)[:, None]
        scores_BTC = self._scores_BTV.gather(2, units_B1C.expand(-1, self._scores_BTV.shape[1], -1))
        scores_BKCT: Tensor = scores_BTC.transpose(1, 2).unflatten(1, units_BKC.shape[1:])
        return scores_BKCT


def _before(prefixes: Prefixes, last_BK: Tensor, units_BKC: Tensor) -> Tensor:
    """Return the paths that a unit may follow, [B, K, C, T + 1].

    The same unit again is another one only after a blank.
    """
    again = (units_BKC == last_BK[:, :, None])[..., None]
    return torch.where(again, prefixes.in_blank[:, :, None], prefixes.either[:, :, None])


def _solve(added: Tensor, sums: Tensor) -> Tensor:
    """Solve r(t) = (r(t - 1) + added(t - 1)) p(t), r(0) = 0; all are logarithms.

    Args:
        added: [..., T], of places 0 to T - 1.
        sums: [..., T + 1], of log p up to each place.

    """
    grown = torch.logcumsumexp(added - sums[..., :-1], -1) + sums[..., 1:]
    return functional.pad(grown, (1, 0), value=NEVER)
