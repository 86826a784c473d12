"""The filters that may be asked for: each a bound on one measure of the segments.

To add one: measure it (in `measures.py`, or in `quality.py` out of what rows hold), give it a
reason in `wavemill/records.py` and a line here, and an option in `wavemill/commands/filters.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wavemill.errors import UsageError
from wavemill.records import (
    CLIPPED,
    FAST_TEXT,
    NOISY,
    SILENT,
    SLOW_TEXT,
    TOO_LONG,
    TOO_SHORT,
)
from wavemill.specs import check_range

Bounds = tuple[tuple[str, float], ...]
"""(name of a filter, bound) of those that are asked for."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A bound on a measure."""

    name: str
    """As the settings have it; it begins with `min_` or `max_`."""
    measure: str
    reason: str
    typical: float
    """A bound that is often asked for; `inspect` counts what it would leave out."""
    lowest: float
    highest: float
    """Between which a bound makes sense."""

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"

    def fails(self, values: Any, bound: float) -> Any:
        """Say which of an array of values are beyond the bound; one that is NaN never is."""
        return values > bound if self.name.startswith("max_") else values < bound

    def detail(self, value: float, bound: float) -> str:
        """Say why a segment is left out."""
        than = "more" if self.name.startswith("max_") else "less"
        words = self.measure.replace("_", " ")
        return f"{words} {value:.4g}, {than} than {self.option} {bound:g}"


FILTERS = (
    Filter(name="min_seconds", measure="seconds", reason=TOO_SHORT,
           typical=1, lowest=0, highest=1e6),
    Filter(name="max_seconds", measure="seconds", reason=TOO_LONG,
           typical=30, lowest=0, highest=1e6),
    Filter(name="max_clipping", measure="clipping", reason=CLIPPED,
           typical=0.001, lowest=0, highest=1),
    Filter(name="max_silence", measure="silence", reason=SILENT,
           typical=0.5, lowest=0, highest=1),
    Filter(name="min_snr", measure="snr_db", reason=NOISY,
           typical=15, lowest=-20, highest=100),
    Filter(name="min_chars_per_second", measure="characters_per_second", reason=SLOW_TEXT,
           typical=3, lowest=0, highest=1e6),
    Filter(name="max_chars_per_second", measure="characters_per_second", reason=FAST_TEXT,
           typical=25, lowest=0, highest=1e6),
)  # fmt: skip


def check_bounds(bounds: Bounds) -> None:
    """Check that bounds are in range, and leave something between them.

    Raises:
        UsageError: one is not.

    """
    given = dict(bounds)
    for one in FILTERS:
        check_range(one.option, given.get(one.name), one.lowest, one.highest)
        lower = one.name.replace("max_", "min_")
        if lower != one.name and given.get(lower, -1e9) > given.get(one.name, 1e9):
            raise UsageError(
                f"{one.option} {given[one.name]:g} is below the minimum, {given[lower]:g}:"
                " nothing can come through"
            )


def asked(bounds: Bounds) -> Iterable[tuple[Filter, float]]:
    """Yield the filters that are asked for with their bounds, in the table's order."""
    given = dict(bounds)
    return [(one, given[one.name]) for one in FILTERS if one.name in given]
