"""Read back from the spool what the plan needs: a few numbers a sample, and what was rejected.

The numbers lie in columns on the local disk, 64 bytes a sample: memory does not grow with the
corpus. `survey_unit.py` reads one unit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from wavemill.columns import Array, Column, on_disk, pieces_of, slices, sorted_pieces
from wavemill.digest import digest_number
from wavemill.pipelines.ingest import STAGE as INGEST
from wavemill.pipelines.reject_rows import RejectRow, RejectRows
from wavemill.pipelines.survey_unit import MEASURES, SurveyConfig, survey_unit
from wavemill.sharding.plan import Lengths

Measured = npt.NDArray[np.float32]

_LENGTHS = {
    "unit": np.int32,
    "row": np.int32,
    "seconds": np.float64,
    "tokens": np.int64,
    "num_bytes": np.int64,
    "key": np.uint64,
}
_KINDS: dict[str, npt.DTypeLike] = {
    **_LENGTHS,
    "audio_key": np.uint64,
    **dict.fromkeys(MEASURES, np.float32),
}


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the spool holds of a corpus. Arrays are mapped."""

    lengths: Lengths
    audio_keys: npt.NDArray[np.uint64]
    """A digest of each sample's audio, [N]: equal for equal samples."""
    measures: dict[str, Measured]
    """A number of each sample by what it is, [N]; NaN where there is none."""
    rejects: RejectRows
    rejected_segments: int
    lost_recordings: int
    """Recordings of which nothing came through."""

    def select(self, kept: npt.NDArray[np.bool_]) -> "Survey":
        """Return it with some of its samples, those where `kept` [N] is true."""

        def some(values: Array) -> Array:
            return on_disk((values[part][kept[part]] for part in slices(len(kept))), values.dtype)

        return self._map(some)

    def counted_from(self, unit: int) -> "Survey":
        """Return it with its units counted from a number on."""
        if not unit:
            return self
        units = on_disk((part + unit for part in pieces_of(self.lengths.unit)), np.int32)
        return replace(self, lengths=replace(self.lengths, unit=units))

    def _map(self, change: Callable[[Array], Array]) -> "Survey":
        arrays: dict[str, Any] = {
            field.name: change(getattr(self.lengths, field.name)) for field in fields(Lengths)
        }
        return replace(
            self,
            lengths=Lengths(**arrays),
            audio_keys=change(self.audio_keys),
            measures={name: change(values) for name, values in self.measures.items()},
        )


class Gatherer:
    """Puts what was read of units into a survey."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._columns = {name: Column(kind) for name, kind in _KINDS.items()}
        self._rejects = RejectRows()
        self._lost = 0

    def add(self, table: pa.Table, first_unit: int) -> None:
        """Add a table of `survey_unit.SCHEMA` whose units are counted from `first_unit` on."""
        kept = table.column("reject").is_null().to_numpy()
        for name, column in self._columns.items():
            values = table.column(name).to_numpy()[kept]
            column.add(values + first_unit if name == "unit" else values)
        for line in table.column("reject").drop_null().to_pylist():
            self._rejects.add_line(line)
        self._lost += int(np.count_nonzero(table.column("lost").to_numpy()))

    def survey(self) -> Survey:
        """Return what was added."""
        arrays: dict[str, Any] = {name: one.array() for name, one in self._columns.items()}
        return Survey(
            lengths=Lengths(**{name: arrays[name] for name in _LENGTHS}),
            audio_keys=arrays["audio_key"],
            measures={name: arrays[name] for name in MEASURES},
            rejects=self._rejects,
            rejected_segments=len(self._rejects),
            lost_recordings=self._lost,
        )


def survey(
    units: Sequence[str], config: SurveyConfig, tick: Callable[[], None] = lambda: None
) -> Survey:
    """Read the units in order; `tick` is called after each."""
    gatherer = Gatherer()
    for number, unit in enumerate(units):
        gatherer.add(survey_unit(unit, config), number)
        tick()
    return gatherer.survey()


def join_surveys(parts: Sequence[Survey]) -> Survey:
    """Join surveys whose units are counted through, in their order."""
    if len(parts) == 1:
        return parts[0]

    def joined(arrays: Iterable[Array], kind: npt.DTypeLike) -> Array:
        return on_disk((piece for array in arrays for piece in pieces_of(array)), kind)

    return Survey(
        lengths=Lengths(
            **{
                name: joined([getattr(part.lengths, name) for part in parts], kind)
                for name, kind in _LENGTHS.items()
            }
        ),
        audio_keys=joined([part.audio_keys for part in parts], np.uint64),
        measures={
            name: joined([part.measures[name] for part in parts], np.float32) for name in MEASURES
        },
        rejects=RejectRows(row for part in parts for row in part.rejects),
        rejected_segments=sum(part.rejected_segments for part in parts),
        lost_recordings=sum(part.lost_recordings for part in parts),
    )


def count_recordings(rejects: Iterable[RejectRow]) -> int:
    """Count the recordings that rejects speak of.

    One that ingest rejected is a row of its own, even where another row has the same id.
    """
    rows = 0

    def keys() -> Iterator[Array]:
        nonlocal rows
        found = []
        for reject in rejects:
            if reject["stage"] == INGEST:
                rows += 1
            else:
                found.append(digest_number(reject["recording"]))
            if len(found) == _KEYS:
                yield np.array(found, np.uint64)
                found = []
        yield np.array(found, np.uint64)

    return count_distinct(keys()) + rows


_KEYS = 1 << 16


def count_distinct(pieces: Iterable[Array]) -> int:
    """Count the different values of some pieces, in bounded memory."""
    count, last = 0, None
    for piece in sorted_pieces(pieces):
        if len(piece):
            fresh = last is None or bool(piece[0] != last)
            count += int(np.count_nonzero(np.diff(piece))) + fresh
            last = piece[-1]
    return count


__all__ = [
    "MEASURES",
    "Gatherer",
    "RejectRow",
    "RejectRows",
    "Survey",
    "SurveyConfig",
    "count_distinct",
    "count_recordings",
    "join_surveys",
    "survey",
]
