"""Places in a list, dealt out in blocks: what Beam shuffles in place of what lies there."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa

from wavemill import storage
from wavemill.digest import digest
from wavemill.pipelines.step import Step
from wavemill.pipelines.survey_unit import SCHEMA, SurveyConfig, survey_unit
from wavemill.pipelines.turns import Turns, turns
from wavemill.pipelines.unit_names import read_names
from wavemill.spool import unit_url

SHARES = 1024


class Blocks(NamedTuple):
    """Places from one on and before another, in blocks of a size."""

    start: int
    end: int
    size: int = 1

    def each(self) -> Iterator[tuple[int, int]]:
        """Yield where each block begins and ends."""
        for start in range(self.start, self.end, self.size):
            yield start, min(start + self.size, self.end)


def shares(runs: Iterable[Blocks]) -> list[Blocks]:
    """Cut runs of blocks into shares, about as many as a pipeline can begin with.

    Some engines never deal out anew what a pipeline begins with (Dask's runner), and all keep it
    in the pipeline itself: so there are many, but no more however large a job is.
    """
    listed = list(runs)
    places = sum(run.end - run.start for run in listed)
    return [
        Blocks(start, min(start + width, run.end), run.size)
        for run in listed
        for width in [run.size * max(1, -(-places // (SHARES * run.size)))]
        for start in range(run.start, run.end, width)
    ]


def deal_out(pipeline: Any, runs: Sequence[Blocks], spool: str) -> Any:
    """Deal the blocks of some runs out to the workers of a pipeline; return the collection."""
    return (
        pipeline
        | "all" >> beam.Create(shares(runs))
        | "blocks" >> beam.FlatMap(Blocks.each)
        | "spread" >> beam.Reshuffle()
        | "take turns" >> beam.ParDo(TakeTurns(spool, runs))
    )


class TakeTurns(Step):
    """Give a block, or where workers take turns (`turns.py`) all that this one comes to."""

    def __init__(self, spool: str, runs: Sequence[Blocks]) -> None:
        """Keep what there is to do."""
        super().__init__(spool)
        self._runs = tuple(runs)
        self._turns: Turns | None = None

    def setup(self) -> None:
        """See whether there are turns."""
        super().setup()
        self._turns = turns()

    def process(self, block: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Yield where each block begins and ends."""
        if self._turns is None:
            yield block
            return
        # The first block that a worker is dealt stands for all of them.
        while found := block_of(self._runs, self._turns.take()):
            yield found

    def teardown(self) -> None:
        """Let the turns go."""
        if self._turns:
            self._turns.close()


def block_of(runs: Iterable[Blocks], number: int) -> tuple[int, int] | None:
    """Return where a block of some runs begins and ends, counted through all of them, if there."""
    for start, end, size in runs:
        starts = range(start, end, size)
        if number < len(starts):
            return starts[number], min(starts[number] + size, end)
        number -= len(starts)
    return None


class NameUnits(Step):
    """Give the names of the units of a block. Takes the places where it begins and ends."""

    def __init__(self, spool: str, names: str) -> None:
        """Keep where the file of names is."""
        super().__init__(spool)
        self._names = names

    def process(self, block: tuple[int, int]) -> Iterator[str]:
        """Yield the names."""
        yield from read_names(self._names, *block)


class SurveyBlock(Step):
    """Read a block of units back. Takes and gives the places where it begins and ends."""

    def __init__(self, names: str, config: SurveyConfig, stage: str) -> None:
        """Keep where the file of names is, and where things are."""
        super().__init__(config.spool)
        self._names, self._config, self._stage = names, config, stage

    def process(self, block: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Write the block's table unless it is there."""
        units = read_names(self._names, *block)
        place = unit_url(self._config.spool, self._stage, block_name(units))
        if self.lacks(place):
            tables = [survey_unit(unit, self._config, at) for at, unit in enumerate(units)]
            with storage.write_atomically(place) as file, pa.ipc.new_file(file, SCHEMA) as arrow:
                arrow.write_table(pa.concat_tables(tables).combine_chunks())
        yield block


def block_name(units: Sequence[str]) -> str:
    """Name a block by the units in it."""
    return digest("\n".join(units), size=12)
