"""What is counted of utterances, split by split; counts of parts add up."""

from collections.abc import Mapping, Sequence
from typing import Any

from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.scoring.counting import count
from wavemill.hypotheses.scoring.table import BEST, COMPOSITIONAL_ORACLE, NBEST_ORACLE

Tally = dict[str, float]
"""Counts by their names."""
SYSTEMS = (BEST, NBEST_ORACLE, COMPOSITIONAL_ORACLE)
"""Whose errors are counted."""


def tally_of(utterances: Sequence[Utterance]) -> dict[str, Tally]:
    """Count utterances by split: how many, how long, and the errors of those with a reference."""
    found: dict[str, Tally] = {}
    for one in utterances:
        counts = {
            "utterances": 1,
            "seconds": one.duration_seconds or 0.0,
            "hypotheses": len(one.hypotheses),
            "short": one.is_short,
            "empty": not one.hypotheses,
        }
        add(found.setdefault(one.split, {}), counts)
    table = count(((one, ()) for one in utterances), (), ("split",))
    names = [one.name for one in table.systems]
    columns = [names.index(name) for name in SYSTEMS]
    for split, words, errors in zip(
        table.labels["split"], table.words.tolist(), table.word_errors.tolist(), strict=True
    ):
        wrong = {name: errors[column] for name, column in zip(SYSTEMS, columns, strict=True)}
        add(found[split], {"references": 1, "words": words, **wrong})
    return found


def add(to: Tally, counts: Mapping[str, float]) -> None:
    """Add counts to others."""
    for name, number in counts.items():
        to[name] = to.get(name, 0) + number


def rates(counts: Mapping[str, float]) -> dict[str, Any]:
    """Return what is said of counts: rates are errors of all utterances by words of all."""
    words = counts.get("words", 0)
    rounded = {
        name: round(counts.get(of, 0) / words, 6) if words else None
        for name, of in zip(("wer", "o_nb", "o_cp"), SYSTEMS, strict=True)
    }
    return {
        **{name: int(counts.get(name, 0))
           for name in ("utterances", "short", "empty", "references", "words")},
        "hours": round(counts.get("seconds", 0.0) / 3600, 6),
        "hypotheses": round(counts.get("hypotheses", 0) / max(counts.get("utterances", 0), 1), 3),
        **rounded,
    }  # fmt: skip
