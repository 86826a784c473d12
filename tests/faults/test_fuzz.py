"""Mutated audio files: each is whole or rejected with a reason, and none ends a job."""

import json
import re
import shutil
import threading
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.conftest import read_jsonl, wavemill
from tests.faults.faulty import PROGRESS
from tests.faults.fuzz import CRASHED, HUNG, outcomes
from tests.faults.mutations import bases, mutated
from tests.faults.places import Folder
from tests.faults.trees import members
from tests.faults.warm import WarmServer
from wavemill import records

REASONS = {
    records.EMPTY, records.TRUNCATED, records.UNDECODABLE, records.UNSUPPORTED, records.NON_FINITE
}  # fmt: skip
MAX_MB = 2000.0
"""Of a driver and two workers; each has loaded torch and Beam."""
MAX_PROCESS_MB = 1200.0
"""Of one of them, at its most; 750 or so are what it has loaded, much of which they share."""
SECONDS = 200.0


def write_files(folder: Path, seed: int, count: int) -> None:
    folder.mkdir()
    sources = bases()
    for number in range(count):
        name, data = mutated(sources, seed, number)
        (folder / name).write_bytes(data)


class Memory:
    """Watches what the processes of a job take, in MB."""

    def __init__(self, driver: int) -> None:
        self.together = 0.0
        self.most: dict[int, float] = {}
        """Of each process the peak that the kernel noted: no allocation is too short for it."""
        self._driver, self._ended = driver, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.together = max(self.together, sum(map(self._look, members(self._driver))))

    def _look(self, pid: int) -> float:
        """Note a process's peak; return its share of memory just now."""
        try:
            status = Path(f"/proc/{pid}/status").read_text("utf-8")
            share = float(psutil.Process(pid).memory_full_info().pss)
        except (OSError, psutil.Error):  # it has just ended
            return 0.0
        if peak := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
            self.most[pid] = max(self.most.get(pid, 0.0), int(peak[1]) * 1024 / 1e6)
        return share / 1e6


def run(warm: WarmServer, given: Path, out: Path, workers: int) -> Memory:
    """Prepare a folder; return what memory that took."""
    log = out.with_suffix(".log")
    words = ("prepare", str(given), "--out", str(out), "--tokenizer", "mvq", "--segment", "none",
             "--max-rejected", "1", "--unit-mb", "2", "--workers", str(workers))  # fmt: skip
    process = warm.start(words, log, {})
    with Memory(process.pid) as memory:
        code = process.wait(SECONDS)
    assert memory.together
    said = [line for line in log.read_text().splitlines() if not line.startswith(PROGRESS)]
    assert code == 0, said
    assert len(said) == 3, said  # the summary, how many were rejected, and what comes next
    return memory


def check(out: Path, count: int) -> None:
    content = json.loads((out / "dataset.json").read_text("utf-8"))
    rejects = read_jsonl(out / "rejected.jsonl")
    assert content["totals"]["recordings"] == count
    assert content["totals"]["samples"] + len(rejects) == count
    assert {row["reason"] for row in rejects} <= REASONS
    assert all(row["detail"] for row in rejects)


def test_a_folder_of_mutated_files_becomes_a_dataset(warm: WarmServer, tmp_path: Path) -> None:
    write_files(tmp_path / "in", seed=1, count=65)
    run(warm, tmp_path / "in", tmp_path / "out", workers=1)
    check(tmp_path / "out", 65)


@pytest.mark.slow
def test_a_thousand_mutated_files_become_the_same_dataset_twice(
    warm: WarmServer, tmp_path: Path
) -> None:
    count, given = 1000, tmp_path / "in"
    write_files(given, seed=0, count=count)
    for name, workers, processes in (("one", 1, 1), ("two", 2, 3)):
        memory = run(warm, given, tmp_path / name, workers)
        each = [round(peak) for peak in memory.most.values()]
        print(f"{workers} workers: {memory.together:.0f} MB, at most {each} MB each")
        assert memory.together < MAX_MB
        assert len(each) >= processes
        assert max(each) < MAX_PROCESS_MB
        check(tmp_path / name, count)
    assert Folder(tmp_path / "one").digests() == Folder(tmp_path / "two").digests()
    done = wavemill("lint", tmp_path / "one", "--decode")
    assert done.code == 0, done.err
    shutil.rmtree(tmp_path / "two")


@pytest.mark.slow
def test_no_mutated_file_crashes_a_decoder_or_keeps_it_for_long() -> None:
    found = list(outcomes(seed=0, first=0, count=1000))
    assert len(found) == 1000
    assert not [one for one in found if one.reason in (CRASHED, HUNG)]
    assert {one.reason for one in found} - {""} <= REASONS
    assert max(one.seconds for one in found) < 10
