"""What manifests say of samples, counted for the card: texts, languages, licences."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

LICENCES = ("license", "licence")
"""The fields of a manifest that name one; no field of wavemill's own, so they are custom."""
MOST = 100
"""Different languages, and licences, that are told apart; others are counted under `OTHER`."""
OTHER = "(other)"


def said_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the texts, languages and licences of rows of segments, their custom fields parsed."""
    texts, languages, licences = 0, Counter[str](), Counter[str]()
    for row in rows:
        texts += row["text"] is not None
        if row["language"] is not None:
            languages[row["language"]] += 1
        if row["custom"] and (licence := _licence(row["custom"])):
            licences[licence] += 1
    return {"texts": texts, "languages": dict(languages), "licences": dict(licences)}


def _licence(custom: Mapping[str, Any]) -> str | None:
    found = (custom.get(name) for name in LICENCES)
    return next((name for name in found if isinstance(name, str) and name), None)


class Said:
    """The counts of shards, added up in their order."""

    def __init__(self) -> None:
        """Begin without any."""
        self._texts = 0
        self._names = {"languages": Counter[str](), "licences": Counter[str]()}

    def add(self, said: Mapping[str, Any]) -> None:
        """Add what `said_of` counted of a shard."""
        self._texts += said["texts"]
        for what, counter in self._names.items():
            for name, count in said[what].items():
                known = name in counter or len(counter) < MOST
                counter[name if known else OTHER] += count

    def as_json(self) -> dict[str, Any]:
        """Return the counts, by name."""
        return {
            "texts": self._texts,
            **{what: dict(sorted(counter.items())) for what, counter in self._names.items()},
        }
