"""Texts by the decoder, and by CTC beside it: a beam of hypotheses for each of a batch.

The score of a hypothesis is (1 - w) log p(decoder) + w log p(CTC), where CTC's is that of all
texts that begin so until it ends (https://arxiv.org/abs/1609.06773). What is found of an utterance
does not depend on what it is searched beside.

Shapes end names: B utterances, K hypotheses of each, C units that may follow, T frames, D features,
V units and the end.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wavemill.models.asr.ctc_prefix import CtcPrefixScorer
from wavemill.models.asr.decoder import TextDecoder
from wavemill.models.asr.hypotheses import Hypothesis, best

NEVER = float("-inf")
Allow = Callable[[int, Sequence[int]], list[int]]


@dataclass(frozen=True, kw_only=True)
class BeamConfig:
    """How a beam is searched."""

    beam: int = 8
    """Hypotheses that are kept of each length."""
    count: int = 5
    """Texts that are returned of an utterance at most."""
    ctc_weight: float = 0.3
    candidates: int | None = None
    """Units that are tried after each hypothesis, by the decoder; twice the beam if None."""
    patience: int | None = 8
    """A search ends once no hypothesis would come among the best, if so many certain units made it
    longer. None: if any number did; nothing is missed then, and it takes long."""


class BeamSearch:
    """Searches one batch."""

    def __init__(
        self,
        decoder: TextDecoder,
        speech_BTD: Tensor,
        real_BT: Tensor,
        config: BeamConfig,
        *,
        limits: Sequence[int],
        ctc: CtcPrefixScorer | None = None,
        allow: Allow | None = None,
    ) -> None:
        """Take what was heard.

        Args:
            decoder: whose last unit is the end.
            speech_BTD: what the encoder made of a batch.
            real_BT: which frames are not padded.
            config: of the search.
            limits: units that a text of each utterance may have.
            ctc: of the same batch, for a `ctc_weight` over 0.
            allow: says of an utterance, by its number, which units or the end may come after
                others; all may if None.

        """
        self._allow = allow
        self._decoder, self._config, self._limits = decoder, config, limits
        self._end = decoder.end
        self._ctc = ctc if config.ctc_weight > 0 else None
        self._weight = config.ctc_weight if self._ctc is not None else 0.0
        self._size, self._device = len(speech_BTD), speech_BTD.device
        self._state = decoder.start(speech_BTD, real_BT, config.beam)
        self._prefixes = self._ctc.start(config.beam) if self._ctc is not None else None
        self._text_BK = torch.zeros(self._size, config.beam, device=self._device).double()
        self._total_BK = self._text_BK.clone()
        self._total_BK[:, 1:] = NEVER  # all are empty at first: one of them is enough
        self._ids: list[list[tuple[int, ...]]] = [[()] * config.beam for _ in range(self._size)]
        self._found: list[list[Hypothesis]] = [[] for _ in range(self._size)]
        self._done = [False] * self._size

    @torch.no_grad()
    def run(self) -> list[list[Hypothesis]]:
        """Return the best texts of each utterance, the best first."""
        last_BK = torch.full((self._size, self._config.beam), self._end, device=self._device)
        for length in itertools.count():
            logits_BKV = self._decoder.step(last_BK, self._state)
            scores_BKV = logits_BKV.double().log_softmax(-1)
            if self._allow is not None:
                scores_BKV = scores_BKV.masked_fill(self._forbidden(scores_BKV), NEVER)
            self._finish(scores_BKV[:, :, self._end], length)
            if all(self._done):
                break
            last_BK = self._grow(scores_BKV[:, :, : self._end], last_BK)
        return [best(found, self._config.count) for found in self._found]

    def _forbidden(self, scores_BKV: Tensor) -> Tensor:
        assert self._allow is not None
        forbidden = torch.ones(scores_BKV.shape, dtype=torch.bool)
        for number, beam in enumerate(self._ids):
            for row, ids in enumerate(beam):
                forbidden[number, row, self._allow(number, ids)] = False
        return forbidden.to(scores_BKV.device)

    def _finish(self, end_BK: Tensor, length: int) -> None:
        """Note hypotheses as whole texts; an utterance is done where no longer one can win."""
        text_BK = self._text_BK + end_BK
        total_BK = (1 - self._weight) * text_BK
        if self._ctc is not None and self._prefixes is not None:
            total_BK = total_BK + self._weight * self._ctc.end(self._prefixes)
        total_BK = total_BK.masked_fill(self._total_BK == NEVER, NEVER)
        totals, open_ = total_BK.tolist(), self._total_BK.max(1).values.tolist()
        for number in range(self._size):
            if self._done[number]:
                continue
            whole = [
                Hypothesis(ids=ids, log_probability=total)
                for ids, total in zip(self._ids[number], totals[number], strict=True)
                if total > NEVER
            ]
            self._found[number] = best([*self._found[number], *whole], self._config.count)
            self._done[number] = self._is_done(number, open_[number], length)

    def _is_done(self, number: int, open_: float, length: int) -> bool:
        """Say whether no longer text may be among the best; `open_` is the best that goes on."""
        longest, found = self._limits[number], self._found[number]
        if open_ == NEVER or length >= longest:
            return True
        if self._config.patience is not None:
            longest = min(longest, length + self._config.patience)
        return len(found) == self._config.count and open_ / (longest + 1) < found[-1].score

    def _grow(self, scores_BKV: Tensor, last_BK: Tensor) -> Tensor:
        """Keep the best of what may follow; return the unit that each got."""
        beam = self._config.beam
        count = min(self._config.candidates or 2 * beam, scores_BKV.shape[2])
        scores_BKC, units_BKC = scores_BKV.topk(count, 2)
        text_BKC = self._text_BK[:, :, None] + scores_BKC
        total_BKC = (1 - self._weight) * text_BKC
        if self._ctc is not None and self._prefixes is not None:
            ctc_BKC = self._ctc.following(self._prefixes, last_BK, units_BKC)
            total_BKC = total_BKC + self._weight * ctc_BKC
        total_BKC = total_BKC.masked_fill((self._total_BK == NEVER)[:, :, None], NEVER)
        self._total_BK, places_BK = _top(total_BKC.flatten(1), beam)
        self._text_BK = text_BKC.flatten(1).gather(1, places_BK)
        units_BK = units_BKC.flatten(1).gather(1, places_BK)
        rows_BK = places_BK // count
        if self._ctc is not None and self._prefixes is not None:
            chosen, last_BK = self._prefixes.choose(rows_BK), last_BK.gather(1, rows_BK)
            self._prefixes = self._ctc.grow(chosen, last_BK, units_BK)
        first_B1 = torch.arange(self._size, device=self._device)[:, None] * beam
        self._state.choose((first_B1 + rows_BK).flatten())
        self._note(units_BK.tolist(), rows_BK.tolist())
        return units_BK

    def _note(self, units: list[list[int]], rows: list[list[int]]) -> None:
        self._ids = [
            [(*before[row], unit) for unit, row in zip(added, chosen, strict=True)]
            for before, added, chosen in zip(self._ids, units, rows, strict=True)
        ]


def _top(total_BN: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the best and their places, [B, count]; `NEVER` at place 0 where there are too few."""
    totals, places = total_BN.topk(min(count, total_BN.shape[1]), 1)
    missing = (0, count - totals.shape[1])
    return functional.pad(totals, missing, value=NEVER), functional.pad(places, missing)
