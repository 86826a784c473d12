"""Which phones are heard for which: learnt from what was said and what a recognizer made of it.

A memoryless channel, as of Ristad and Yianilos (1998, "Learning string-edit distance"): each phone
is heard as another or as none, and phones are heard where there was none. Its probabilities come
from alignments at the least cost, and these from the probabilities, a few times over.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.confusions.alignment import Costs, align, first_costs
from wavemill.hypotheses.confusions.phones import COUNT, NAMES, NONE, differences, numbers
from wavemill.hypotheses.confusions.pronounce import Pronouncer
from wavemill.packages import require

FORMAT = 1
SHIPPED = Path(__file__).parent / "pocketsphinx-en.json"
ROUNDS = 4
WEIGHT = 5.0
"""Of what phones have in common, in sightings: so many are worth as much."""


@dataclass(frozen=True, kw_only=True)
class ConfusionModel:
    """The channel, and how often what it was learnt from was wrong."""

    costs: Costs
    """Negative logarithms of the probabilities, [40, 40]; see `alignment.Costs`."""
    facts: dict[str, Any]
    """`utterances`, `words`, and `wer` and `phone_distance` of what it was learnt from."""

    @cached_property
    def rows(self) -> list[list[float]]:
        """The costs as lists."""
        return [[float(cost) for cost in row] for row in self.costs]

    @cached_property
    def digest(self) -> str:
        """Of all that it is."""
        return digest([self.rows, self.facts])

    def cost(self, said: str, heard: str) -> float:
        """Return the cost of hearing phones for others, each a character a phone."""
        return align(numbers(said), numbers(heard), self.rows)[0]

    def save(self, url: str) -> None:
        """Write it as JSON."""
        lines = ",\n  ".join(json.dumps(row) for row in self.rows)
        head = {"format": FORMAT, "phones": NAMES, "facts": self.facts}
        text = json.dumps(head, indent=1)[:-2]
        storage.write_text(url, [f'{text},\n "costs": [\n  {lines}\n ]\n}}'])


def load_model(url: str | None = None) -> ConfusionModel:
    """Read a model; the one that ships if None: what pocketsphinx takes for what, in English.

    Raises:
        UsageError: there is none.
        DatasetError: it is damaged, or none.

    """
    url = url or str(SHIPPED)
    if not storage.exists(url):
        raise UsageError(f"{url}: there is no such model; make one with `wavemill fit confusions`")
    try:
        content = json.loads(storage.read_bytes(url))
        costs = np.array(content["costs"], dtype=np.float64)
        is_known = content["format"] == FORMAT and tuple(content["phones"]) == NAMES
        model = ConfusionModel(costs=costs, facts=dict(content["facts"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{url} is no model of confusions: {error}") from error
    if not is_known or costs.shape != (COUNT + 1, COUNT + 1) or not np.isfinite(costs).all():
        raise DatasetError(f"{url} is a model of confusions in a format that is not known here")
    return model


def fit_model(pairs: Iterable[tuple[str, str]], pronouncer: Pronouncer) -> ConfusionModel:
    """Learn from what was said and what was heard.

    Raises:
        DatasetError: there is nothing to learn from.

    """
    words = list(pairs)
    said = [(pronouncer.say_all(one), pronouncer.say_all(other)) for one, other in words]
    sequences = [(numbers(one), numbers(other)) for one, other in said]
    if not sum(len(one) for one, _ in sequences):
        raise DatasetError("there is nothing to learn from: no utterance has a reference")
    costs = first_costs()
    for _ in range(ROUNDS):
        counts = np.zeros_like(costs)
        rows = costs.tolist()
        for one, other in sequences:
            for pair in align(one, other, rows)[1]:
                counts[pair] += 1
        costs = _costs(counts)
    levenshtein = require("rapidfuzz.distance", "hypotheses", "a model of confusions").Levenshtein
    facts = {
        "utterances": len(words),
        "words": sum(len(one.split()) for one, _ in words),
        "wer": _rate(levenshtein, [(one.split(), other.split()) for one, other in words]),
        "phone_distance": _rate(levenshtein, said),
    }
    return ConfusionModel(costs=costs, facts=facts)


def _costs(counts: Costs) -> Costs:
    """Turn sightings into costs; what was never seen is likelier the more phones are alike."""
    prior = np.exp(-np.pad(differences(), ((0, 1), (0, 1)), constant_values=2.0))
    prior /= prior.sum(axis=1, keepdims=True)
    chances = np.empty_like(counts)
    spoken = counts[:COUNT]
    chances[:COUNT] = (spoken + WEIGHT * prior[:COUNT]) / (
        spoken.sum(axis=1, keepdims=True) + WEIGHT
    )
    # A phone may come in before each phone, and at the end.
    chances[NONE] = (counts[NONE] + WEIGHT / COUNT) / (counts[:COUNT].sum() + WEIGHT)
    costs: Costs = -np.log(chances).astype(np.float64)
    return costs.round(3)  # as it is written


def _rate(levenshtein: Any, pairs: list[tuple[Any, Any]]) -> float:
    edits: int = sum(levenshtein.distance(one, other) for one, other in pairs)
    return round(float(edits) / sum(len(one) for one, _ in pairs), 4)
