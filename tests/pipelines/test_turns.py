"""Turns: workers of one machine take the next part of a job as they come free."""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from wavemill.pipelines import engine as engines
from wavemill.pipelines.blocks import Blocks, TakeTurns, deal_out
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.outdir import MARK
from wavemill.pipelines.shared_memory import shared
from wavemill.pipelines.turns import VARIABLE, Turns, turns


class Slow(beam.DoFn):
    """Takes long over the first of all places, and notes who did which."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, block: tuple[int, int]) -> Iterator[None]:
        for place in range(*block):
            time.sleep(2.0 if place == 0 else 0.02)
            (Path(self._folder) / f"{place}").write_text(str(os.getpid()))
        yield None


def pipeline_of(runs: list[Blocks], spool: str, pipeline: Any) -> None:
    _ = deal_out(pipeline, runs, spool) | "slow" >> beam.ParDo(Slow(f"{spool}/done"))


def test_a_worker_that_is_held_up_leaves_the_rest_to_the_other(tmp_path: Path) -> None:
    (tmp_path / MARK).touch()
    (tmp_path / "done").mkdir()
    build = partial(pipeline_of, [Blocks(0, 30)], str(tmp_path))
    engines.run(Engine(workers=2), build, "testing", str(tmp_path))
    done = {int(file.name): file.read_text() for file in (tmp_path / "done").iterdir()}
    assert sorted(done) == [*range(30)]
    # Dealt out beforehand, each would have had fifteen of them.
    assert [who for who in done.values() if who == done[0]] == [done[0]]
    assert len(set(done.values())) == 2


def take_all(place: str, most: int, found: Any) -> None:
    taken, own = [], Turns(place)
    while (number := own.take()) < most:
        taken.append(number)
    own.close()
    own.close()
    found.send(json.dumps(taken))


def test_a_number_is_given_to_one_process_alone() -> None:
    with shared("a-test") as (_, place):
        ends = [multiprocessing.Pipe(duplex=False) for _ in range(3)]
        each = [
            multiprocessing.Process(target=take_all, args=(place, 5000, end)) for _, end in ends
        ]
        for process in each:
            process.start()
        taken = [number for end, _ in ends for number in json.loads(end.recv())]
        for process in each:
            process.join()
    assert sorted(taken) == [*range(5000)]


def test_without_turns_a_block_is_passed_on(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / MARK).touch()
    step = TakeTurns(str(tmp_path), [Blocks(0, 9, 3)])
    step.setup()
    assert [*step.process((3, 6))] == [(3, 6)]
    step.teardown()
    with shared("a-test") as (_, place):
        monkeypatch.setenv(VARIABLE, place)
        step.setup()
        assert [*step.process((3, 6))] == [(0, 3), (3, 6), (6, 9)]
        assert not [*step.process((6, 9))]
        step.teardown()
    monkeypatch.setenv(VARIABLE, "")
    assert turns() is None
