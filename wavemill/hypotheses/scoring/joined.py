"""Utterances with the corrections that were made of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from wavemill.errors import DatasetError
from wavemill.hypotheses.records import Correction, Utterance


class Source(Protocol):
    """Where utterances and corrections come from: a `HypothesesFolder`, or what stands in."""

    @property
    def url(self) -> str:
        """Where it lies."""

    def utterances(self, *splits: str) -> Iterator[Utterance]:
        """Yield utterances in their order."""

    def corrections(self) -> list[str]:
        """Return the names of corrections."""

    def read_corrections(self, name: str) -> Iterator[Correction]:
        """Yield corrections in the order of their utterances."""

    def correction_facts(self, name: str) -> Mapping[str, Any]:
        """Return what made them."""


Joined = tuple[Utterance, tuple[Correction | None, ...]]
"""An utterance, and what each set of corrections has for it."""


def joined(source: Source, names: Sequence[str], splits: Sequence[str] = ()) -> Iterator[Joined]:
    """Yield utterances of some splits, or of all, with their corrections of some names.

    Raises:
        DatasetError: corrections are of other utterances, or in another order.

    """
    readers = [source.read_corrections(name) for name in names]
    waiting = [next(reader, None) for reader in readers]
    for utterance in source.utterances():
        found: list[Correction | None] = [None] * len(names)
        for place, one in enumerate(waiting):
            if one is not None and one.id == utterance.id:
                found[place] = one
                waiting[place] = next(readers[place], None)
        if not splits or utterance.split in splits:
            yield utterance, tuple(found)
    for name, left in zip(names, waiting, strict=True):
        if left is not None:
            raise DatasetError(
                f"corrections {name!r} of {source.url} do not go with its utterances (at"
                f" {left.id!r}); make them again with `wavemill correct`"
            )
