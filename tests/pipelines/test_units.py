"""What Beam is told of units, and of shards, does not grow with their number."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.pipelines.blocks import Blocks, NameUnits, block_name, block_of, shares
from wavemill.pipelines.outdir import MARK
from wavemill.pipelines.unit_names import UnitNames, as_names, joined, read_all, read_names
from wavemill.pipelines.unit_names import write_names as write
from wavemill.pipelines.units import unit_pipeline
from wavemill.pipelines.write import runs_of_zeros


class Note(beam.DoFn):
    """Leaves a file of each unit's name."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, unit: str) -> Iterator[str]:
        Path(self._folder, unit).touch()
        yield unit


def names_of(count: int) -> list[str]:
    return [f"{number:024x}" for number in range(count)]


def size_of_pipeline(count: int, folder: Path) -> int:
    pipeline = beam.Pipeline()
    steps = [("note", Note(str(folder)))]
    where = str(folder)
    unit_pipeline(pipeline, spool=where, names=f"{where}/u", count=count, steps=steps)
    return len(pipeline.to_runner_api().SerializeToString())


def test_a_pipeline_says_as_much_of_a_billion_units_as_of_a_few_thousand(tmp_path: Path) -> None:
    sizes = [size_of_pipeline(count, tmp_path) for count in (1, 5_000, 1_000_000, 10**9)]
    assert max(sizes) - sizes[1] < 15_000
    assert max(sizes) < 100_000


@pytest.mark.parametrize("count", [1, 5, 2500])
def test_every_unit_is_named_once(count: int, tmp_path: Path) -> None:
    (tmp_path / "seen").mkdir()
    write(str(tmp_path / "u"), names_of(count))
    (tmp_path / MARK).touch()
    with beam.Pipeline() as pipeline:
        steps = [("note", Note(str(tmp_path / "seen")))]
        where = str(tmp_path)
        unit_pipeline(pipeline, spool=where, names=f"{where}/u", count=count, steps=steps)
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == names_of(count)


def test_blocks_cover_every_place_once() -> None:
    for start, end, size in ((0, 0, 3), (0, 1, 3), (2, 5, 3), (0, 10, 3)):
        places = [at for block in Blocks(start, end, size).each() for at in range(*block)]
        assert places == list(range(start, end))


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 10**5)), max_size=5),
    st.integers(16, 300),
)
def test_shares_hold_the_same_blocks_and_are_few_enough(
    runs: list[tuple[int, int]], size: int
) -> None:
    given_runs = [Blocks(start, start + count, size) for start, count in runs]
    found = shares(given_runs)
    assert len(found) <= 1024 + len(runs)
    every = blocks_of(given_runs)
    assert blocks_of(found) == every
    some = [*range(0, len(every), max(1, len(every) // 20)), len(every) - 1]
    assert all(block_of(given_runs, at) == every[at] for at in some if every)
    assert block_of(given_runs, len(every)) is None


def blocks_of(runs: list[Blocks]) -> list[tuple[int, int]]:
    return [block for run in runs for block in run.each()]


def test_few_units_are_a_share_each() -> None:
    assert shares([Blocks(0, 3)]) == [Blocks(0, 1), Blocks(1, 2), Blocks(2, 3)]


def test_names_are_read_by_their_places(tmp_path: Path) -> None:
    place = str(tmp_path / "u")
    write(place, names_of(10))
    assert read_names(place, 3, 5) == names_of(10)[3:5]
    assert [*NameUnits(str(tmp_path), place).process((8, 10))] == names_of(10)[8:]
    assert [*read_all(place, 10)] == names_of(10)


@given(st.lists(st.text("0123456789abcdef", min_size=1, max_size=24), max_size=30), st.data())
def test_names_on_disk_are_a_list_of_them(names: list[str], data: st.DataObject) -> None:
    held = UnitNames(names)
    assert len(held) == len(names)
    assert [*held] == names
    assert held[1:7] == names[1:7]
    assert [held[place] for place in range(len(names))] == names
    assert [*joined([held, names])] == names + names
    some = data.draw(st.lists(st.sampled_from(names), max_size=9)) if names else []
    missing = held.missing_in(iter(some))
    assert missing.tolist() == [name not in some for name in names]
    assert [*held.select(iter([missing] if names else []))] == [n for n in names if n not in some]


def test_names_on_disk_stay_there() -> None:
    held = UnitNames(["a"])
    assert as_names(held) is held


@given(st.lists(st.booleans()))
def test_runs_are_those_of_zeros(flags: list[bool]) -> None:
    runs = runs_of_zeros(bytearray(flags))
    assert [place for run in runs for place in range(*run)] == [
        place for place, flag in enumerate(flags) if not flag
    ]
    assert all(one[1] < other[0] for one, other in pairwise(runs))


def test_a_block_is_named_by_its_units() -> None:
    one, other = (block_name(names) for names in (["a", "b"], ["a", "c"]))
    assert one != other
    assert len(one) == 24
    assert np.array([one], "S24")[0].decode() == one
