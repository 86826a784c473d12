"""Count errors of each utterance, for each system that gives it a text.

An oracle is no system that can be had, but a bound for those that choose among hypotheses (`o_nb`:
the one with the fewest errors) or put their words together anew (`o_cp`: the words of the reference
that no hypothesis has). HyPoradise, https://arxiv.org/abs/2309.15701. A word that no hypothesis has
is an error in each of them, so `o_cp <= o_nb <= 1-best` for every utterance, and for their sums.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np

from wavemill.errors import UsageError
from wavemill.hypotheses.records import Correction, Utterance
from wavemill.hypotheses.scoring.joined import Joined
from wavemill.hypotheses.scoring.table import OWN, System, Table
from wavemill.hypotheses.scoring.texts import Counts, characters, errors, words
from wavemill.hypotheses.scoring.vote import vote
from wavemill.records import to_json

AT_ONCE = 4096
"""Utterances that are compared at a time."""

FIELDS = ("speaker", "language", "split", "recording")
CUSTOM = "custom."
NONE = "(none)"
"""The group of utterances that have no value."""


def count(rows: Iterable[Joined], corrections: Sequence[System], keys: Sequence[str]) -> Table:
    """Count the errors of utterances.

    Args:
        rows: utterances with their corrections; those without a reference are counted, no more.
        corrections: what the corrections are, in their order.
        keys: by what groups will be made: of `FIELDS`, or `custom.` and the name of a field.

    Raises:
        UsageError: a key is none; a package is not installed.

    """
    for key in keys:
        if key not in FIELDS and not (key.startswith(CUSTOM) and key != CUSTOM):
            raise UsageError(f"--group-by {key}: give {', '.join(FIELDS)} or {CUSTOM}FIELD")
    tally = _Tally((*OWN, *corrections), keys)
    rows = iter(rows)
    while batch := list(islice(rows, AT_ONCE)):
        tally.add(batch)
    return tally.table()


def group_of(utterance: Utterance, key: str) -> str:
    """Say what an utterance is, of what is grouped by."""
    if key.startswith(CUSTOM):
        value = utterance.custom.get(key.removeprefix(CUSTOM))
        return NONE if value is None else value if isinstance(value, str) else to_json(value)
    value = getattr(utterance, "recording_id" if key == "recording" else key)
    return NONE if value is None else str(value)


class _Tally:
    """Counts batches; what it keeps of an utterance are numbers, and what it is grouped by."""

    def __init__(self, systems: Sequence[System], keys: Sequence[str]) -> None:
        self._systems = systems
        self._sizes: list[Counts] = []
        self._errors: list[Counts] = []
        self._labels: dict[str, list[str]] = {key: [] for key in keys}
        self._missing = [0] * len(systems)
        self._flags = [Counter[str]() for _ in systems]
        self._without_reference = self._without_hypotheses = self._short = 0

    def add(self, rows: Sequence[Joined]) -> None:
        """Count a batch."""
        known = [row for row in rows if row[0].reference is not None]
        utterances = [utterance for utterance, _ in known]
        self._without_reference += len(rows) - len(known)
        self._without_hypotheses += sum(not one.hypotheses for one in utterances)
        self._short += sum(one.is_short for one in utterances)
        for key, labels in self._labels.items():
            labels += [group_of(one, key) for one in utterances]
        texts = [[vote(one.hypotheses) for one in utterances]]
        texts += [
            [self._corrected(*row, place) for row in known]
            for place in range(len(self._systems) - len(OWN))
        ]
        references = [one.reference or "" for one in utterances]
        hypotheses = [one.texts or ("",) for one in utterances]
        both = [
            _errors([split(text) for text in references], hypotheses, texts, split)
            for split in (words, characters)
        ]
        self._sizes.append(np.stack([sizes for sizes, _ in both]))
        self._errors.append(np.stack([found for _, found in both]))

    def _corrected(
        self, utterance: Utterance, corrections: Sequence[Correction | None], place: int
    ) -> str:
        one = corrections[place]
        self._missing[len(OWN) + place] += one is None
        self._flags[len(OWN) + place].update(one.flags if one else ())
        return one.text if one else utterance.best

    def table(self) -> Table:
        """Put the batches together."""
        count = len(self._systems)
        sizes = np.concatenate([np.zeros((2, 0), np.int64), *self._sizes], axis=1)
        found = np.concatenate([np.zeros((2, 0, count), np.int64), *self._errors], axis=1)
        return Table(
            systems=self._systems,
            words=sizes[0],
            characters=sizes[1],
            word_errors=found[0],
            character_errors=found[1],
            labels=self._labels,
            missing=self._missing,
            flags=self._flags,
            without_reference=self._without_reference,
            without_hypotheses=self._without_hypotheses,
            short=self._short,
        )


def _errors(
    references: Sequence[Sequence[str]],
    hypotheses: Sequence[Sequence[str]],
    texts: Sequence[Sequence[str]],
    split: Callable[[str], Sequence[str]],
) -> tuple[Counts, Counts]:
    """Return the references' sizes, [U], and the errors, [U, S], in words or in characters."""
    said = [[split(text) for text in one] for one in hypotheses]
    first = np.cumsum([0, *map(len, said)])[:-1]
    repeated = [one for one, many in zip(references, said, strict=True) for _ in many]
    each = errors(repeated, [one for many in said for one in many])
    absent = [
        sum(part not in heard for part in reference)
        for reference, many in zip(references, said, strict=True)
        for heard in [set().union(*many)]
    ]
    lowest = np.minimum.reduceat(each, first) if len(each) else each
    others = [errors(references, [split(text) for text in column]) for column in texts]
    columns = [each[first], lowest, np.array(absent, np.int64), *others]
    return np.array([len(one) for one in references], np.int64), np.stack(columns, axis=1)
