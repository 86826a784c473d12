"""Error rates of a corpus and of its groups, with their confidence intervals."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest_number
from wavemill.errors import DatasetError
from wavemill.hypotheses.scoring.bootstrap import CONFIDENCE, Interval, interval, rates, resample
from wavemill.hypotheses.scoring.counting import count
from wavemill.hypotheses.scoring.joined import Source, joined
from wavemill.hypotheses.scoring.table import System, Table
from wavemill.hypotheses.scoring.texts import rate

RESAMPLES = 1000

BELOW, ABOVE, UNDECIDED = "below", "above", "undecided"
"""Whether the interval of a difference to the 1-best lies below 0, above it, or holds it."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """How wrong a system is.

    Rates are errors of all utterances by words, or characters, of all. Intervals hold 95 % of what
    resampling gives, and are None where nothing was resampled.
    """

    name: str
    kind: str
    errors: int
    wer: float
    wer_interval: Interval | None
    difference: float
    """Of the WER to that of the 1-best; below 0 is better."""
    difference_interval: Interval | None
    verdict: str | None
    """`below`, `above` or `undecided`; None of the 1-best."""
    character_errors: int | None
    cer: float | None
    """None for the compositional oracle, which is one of words."""
    cer_interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Utterances that have something in common, or all."""

    by: str | None = None
    """What: `speaker`, `custom.noise`; None of all."""
    value: str | None = None
    utterances: int
    words: int
    characters: int
    systems: tuple[Score, ...]

    def score(self, name: str) -> Score:
        """Return that of the first system of a name."""
        return next(one for one in self.systems if one.name == name)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What `wavemill score` says."""

    url: str
    splits: tuple[str, ...]
    whole: Group
    groups: tuple[Group, ...]
    without_reference: int
    """Utterances that are left out of all else."""
    without_hypotheses: int
    """Scored as if nothing was heard: each word is an error."""
    short: int
    missing: dict[str, int]
    """By the name of corrections: utterances that have none, for which the 1-best stands in."""
    flags: dict[str, dict[str, int]]
    """By the name of corrections: how often each flag."""
    resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return all of it, as JSON."""
        fields = dataclasses.asdict(self)
        whole, groups = fields.pop("whole"), fields.pop("groups")
        counts = {name: whole[name] for name in ("utterances", "words", "characters")}
        return {
            **fields,
            "confidence": CONFIDENCE,
            **counts,
            "systems": whole["systems"],
            "groups": groups,
        }


def score(
    source: Source,
    *,
    splits: Sequence[str] = (),
    keys: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Scores:
    """Score the hypotheses of a folder, and all corrections in it.

    Args:
        source: a `HypothesesFolder`, or what stands in for one.
        splits: `train`, `validation`, `test`; all if none is given.
        keys: by what to group, as `count` takes it.
        resamples: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        DatasetError: no utterance has a reference; what is read is damaged.
        UsageError: a key is none; a package is not installed.

    """
    names = source.corrections()
    systems = [
        System(name=name, kind=str(source.correction_facts(name).get("kind", "correction")))
        for name in names
    ]
    table = count(joined(source, names, splits), systems, keys)
    if not len(table.words):
        where = f"split {', '.join(splits)} of {source.url}" if splits else source.url
        raise DatasetError(
            f"{where}: no utterance has a reference ({table.without_reference:,} have none);"
            " give hypotheses of recordings whose texts are known"
        )
    added = len(table.systems) - len(names)
    return Scores(
        url=source.url,
        splits=tuple(splits),
        whole=_group(table, np.arange(len(table.words)), resamples, seed),
        groups=tuple(_groups(table, resamples, seed)),
        without_reference=table.without_reference,
        without_hypotheses=table.without_hypotheses,
        short=table.short,
        missing=dict(zip(names, table.missing[added:], strict=True)),
        flags={
            name: dict(sorted(flags.items()))
            for name, flags in zip(names, table.flags[added:], strict=True)
        },
        resamples=resamples,
        seed=seed,
    )


def _groups(table: Table, resamples: int, seed: int) -> Iterator[Group]:
    for key, labels in table.labels.items():
        values, which = np.unique(np.array(labels), return_inverse=True)
        order = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[order], np.arange(len(values) + 1))
        for value, begin, end in zip(values, bounds, bounds[1:], strict=False):
            own = digest_number([seed, key, str(value)])
            found = _group(table, order[begin:end], resamples, own)
            yield dataclasses.replace(found, by=key, value=str(value))


def _group(table: Table, rows: npt.NDArray[np.intp], resamples: int, seed: int) -> Group:
    """Score some utterances, [N]."""
    count = len(table.systems)
    columns = np.column_stack(
        [
            table.words[rows],
            table.characters[rows],
            table.word_errors[rows],
            table.character_errors[rows],
        ]
    )
    drawn = resample(columns, resamples, seed)
    words, characters, *sums = (int(total) for total in columns.sum(axis=0))
    of_words = rates(drawn[:, 2 : 2 + count], drawn[:, :1])
    of_characters = rates(drawn[:, 2 + count :], drawn[:, 1:2])
    best = rate(sums[0], words)
    systems = []
    for place, system in enumerate(table.systems):
        errors, wer = sums[place], rate(sums[place], words)
        between = interval(of_words[:, place] - of_words[:, 0])
        in_characters = sums[count + place] if system.has_characters else None
        systems.append(
            Score(
                name=system.name,
                kind=system.kind,
                errors=errors,
                wer=wer,
                wer_interval=interval(of_words[:, place]),
                difference=wer - best,
                difference_interval=between,
                verdict=_verdict(between) if place else None,
                character_errors=in_characters,
                cer=None if in_characters is None else rate(in_characters, characters),
                cer_interval=interval(of_characters[:, place]) if system.has_characters else None,
            )
        )
    return Group(utterances=len(rows), words=words, characters=characters, systems=tuple(systems))


def _verdict(between: Interval | None) -> str | None:
    if between is None:
        return None
    low, high = between
    return BELOW if high < 0 else ABOVE if low > 0 else UNDECIDED
