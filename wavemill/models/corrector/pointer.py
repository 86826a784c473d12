"""A corrector that points: it writes a text column by column, of what may be said in each.

Each candidate of a column is scored by what speaks for it and by how it goes with the words chosen
before it. What is known of words comes from counts, so that the few weights there are learn of some
hundred utterances; a new model takes the first hypothesis as it is.

Shapes end names: B utterances, S columns, C candidates, F facts.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.records import Utterance
from wavemill.models.corrector.candidates import (
    FACTS,
    FIRST,
    Choice,
    choices,
    in_context,
    step,
)
from wavemill.models.corrector.lexicon import NOTHING, Counts, Lexicon, counts_of
from wavemill.models.corrector.network import Column, build_network, phrases
from wavemill.models.corrector.settings import CorrectorConfig
from wavemill.models.recipe import Loss

TRUST = 3.0
"""How a new model favours the first hypothesis."""
UNREACHABLE = -100
"""The target of a column whose phrase is no candidate, and of one that is padded."""
KEPT = 4096
"""Utterances whose facts are kept from one epoch to the next."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """An utterance as it is learnt from."""

    facts: tuple[Tensor, ...]
    """Of each column, [C, F]."""
    targets: tuple[int, ...]
    """Of each column the right candidate, or UNREACHABLE."""


class PointerModel(nn.Module):
    """Scores candidates; knows words by heart."""

    def __init__(self, config: CorrectorConfig) -> None:
        super().__init__()
        self.config = config
        self.lexicon = Lexicon(Counts())
        self.direct = nn.Linear(FACTS, 1, bias=False)
        self.inner = nn.Linear(FACTS, config.width)
        self.outer = nn.Linear(config.width, 1)
        self._kept: OrderedDict[tuple[Any, ...], Lesson] = OrderedDict()
        with torch.no_grad():
            for weight in (self.direct.weight, self.outer.weight, self.outer.bias):
                nn.init.zeros_(weight)
            self.direct.weight[0, 0] = TRUST

    def scores(self, facts: Tensor) -> Tensor:
        """Return the scores of candidates [...], of their facts [..., F]."""
        hidden = functional.gelu(self.inner(facts))
        hidden = functional.dropout(hidden, self.config.dropout, self.training)
        return (self.outer(hidden) + self.direct(facts)).squeeze(-1)  # type: ignore[no-any-return]

    def forward(self, utterances: Sequence[Utterance]) -> tuple[Tensor, Tensor]:
        """Return log probabilities of candidates, [B, S, C], and the right ones, [B, S].

        In training nothing is known of an utterance but by others.
        """
        lessons = [self._lesson(one) for one in utterances]
        columns = max((len(one.targets) for one in lessons), default=0)
        most = max((len(facts) for one in lessons for facts in one.facts), default=1)
        facts_BSCF = torch.zeros(len(lessons), columns, most, FACTS)
        real_BSC = torch.zeros(facts_BSCF.shape[:3], dtype=torch.bool)
        targets_BS = torch.full(facts_BSCF.shape[:2], UNREACHABLE)
        for row, lesson in enumerate(lessons):
            targets_BS[row, : len(lesson.targets)] = torch.tensor(lesson.targets)
            for column, facts in enumerate(lesson.facts):
                facts_BSCF[row, column, : len(facts)] = facts
                real_BSC[row, column, : len(facts)] = True
        real_BSC[:, :, 0] = True
        device = self.outer.weight.device
        scores_BSC = self.scores(facts_BSCF.to(device)).float()
        logs_BSC = scores_BSC.masked_fill(~real_BSC.to(device), float("-inf")).log_softmax(2)
        return logs_BSC, targets_BS.to(device)

    def learn_words(self, batches: Iterator[HypothesesBatch]) -> None:
        """Count what is known by heart, of an epoch."""
        counts = Counts()
        for batch in batches:
            for utterance in batch.utterances:
                columns = self.columns(utterance)
                counts.add(counts_of(columns, phrases(columns, utterance.reference or "")))
        self.lexicon = Lexicon(counts.most_common(self.config.most_counts))

    def columns(self, utterance: Utterance) -> list[Column]:
        """Lay the hypotheses that are looked at side by side."""
        return build_network(utterance.texts[: self.config.hypotheses])

    @torch.inference_mode()
    def correct(self, utterance: Utterance, *, only_heard: bool = False) -> str:
        """Return the likeliest text of an utterance, by a beam over its columns.

        Args:
            utterance: with hypotheses or without.
            only_heard: write no word that is in no hypothesis.

        """
        seen = replace(utterance, hypotheses=utterance.hypotheses[: self.config.hypotheses])
        found = choices(seen, self.columns(seen), self.lexicon, only_heard=only_heard)
        beams = {"": (0.0, FIRST)}
        for choice in found:
            beams = self._grown(beams, choice)
        return min(beams, key=lambda text: (-beams[text][0], text))

    def _grown(
        self, beams: dict[str, tuple[float, tuple[str, str]]], choice: Choice
    ) -> dict[str, tuple[float, tuple[str, str]]]:
        """Add a column to texts; of those that read alike the likelier stays."""
        facts = torch.stack(
            [_facts(choice, before, self.lexicon, NOTHING) for _, before in beams.values()]
        )
        logs = self.scores(facts.to(self.outer.weight.device)).float().log_softmax(-1).tolist()
        grown: dict[str, tuple[float, tuple[str, str]]] = {}
        for (text, (total, before)), added in zip(beams.items(), logs, strict=True):
            for name, log in zip(choice.candidates, added, strict=True):
                longer = f"{text} {name}".strip()
                if longer not in grown or grown[longer][0] < total + log:
                    grown[longer] = total + log, step(before, name)
        order = sorted(grown, key=lambda text: (-grown[text][0], text))
        return {text: grown[text] for text in order[: self.config.beam]}

    def _lesson(self, utterance: Utterance) -> Lesson:
        key = self.training, utterance.reference, utterance.hypotheses
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        seen = replace(utterance, hypotheses=utterance.hypotheses[: self.config.hypotheses])
        columns = self.columns(seen)
        said = phrases(columns, seen.reference or "")
        without = counts_of(columns, said) if self.training else NOTHING
        before, facts, targets = FIRST, [], []
        for choice, phrase in zip(
            choices(seen, columns, self.lexicon, without=without), said, strict=True
        ):
            facts.append(_facts(choice, before, self.lexicon, without))
            is_there = phrase in choice.candidates
            targets.append(choice.candidates.index(phrase) if is_there else UNREACHABLE)
            before = step(before, phrase)
        self._kept[key] = Lesson(facts=tuple(facts), targets=tuple(targets))
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def get_extra_state(self) -> Tensor:
        """Return the words as bytes, which go into a checkpoint beside the weights."""
        return torch.frombuffer(bytearray(self.lexicon.to_bytes()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Take words that `get_extra_state` returned."""
        self.lexicon = Lexicon.from_bytes(bytes(state.cpu().numpy()))
        self._kept.clear()


def _facts(choice: Choice, before: tuple[str, str], lexicon: Lexicon, without: Counts) -> Tensor:
    """Return the facts of candidates after two words, [C, F]."""
    return torch.tensor(
        [
            (*fixed, *in_context(name, choice, before, lexicon, without))
            for name, fixed in zip(choice.candidates, choice.facts, strict=True)
        ]
    )


def pointer_loss(model: nn.Module, batch: HypothesesBatch) -> Loss:
    """Return the cross-entropy in nats over columns whose right candidate is there.

    `wrong` is the share of them in which another one is likelier.
    """
    logs_BSC, targets_BS = model(batch.utterances)
    counts_BS = targets_BS != UNREACHABLE
    total = functional.nll_loss(
        logs_BSC.flatten(0, 1), targets_BS.flatten(), ignore_index=UNREACHABLE, reduction="sum"
    )
    wrong = ((logs_BSC.argmax(2) != targets_BS) & counts_BS).sum()
    return Loss(total=total, count=counts_BS.sum(), parts={"wrong": wrong})
