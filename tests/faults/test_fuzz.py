"""Mutated audio files: each is whole or rejected with a reason, and none ends a job."""

import json
import shutil
import threading
from pathlib import Path

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
SECONDS = 200.0


def write_files(folder: Path, seed: int, count: int) -> None:
    folder.mkdir()
    sources = bases()
    for number in range(count):
        name, data = mutated(sources, seed, number)
        (folder / name).write_bytes(data)


def run(warm: WarmServer, given: Path, out: Path, workers: int) -> float:
    """Prepare a folder; return the largest memory of all its processes together, in MB."""
    log = out.with_suffix(".log")
    words = ("prepare", str(given), "--out", str(out), "--tokenizer", "mvq", "--segment", "none",
             "--max-rejected", "1", "--unit-mb", "2", "--workers", str(workers))  # fmt: skip
    process = warm.start(words, log, {})
    peak, ended = [0.0], threading.Event()
    watch = threading.Thread(target=_watch, args=(process.pid, peak, ended))
    watch.start()
    try:
        code = process.wait(SECONDS)
    finally:
        ended.set()
        watch.join()
    assert peak[0]
    said = [line for line in log.read_text().splitlines() if not line.startswith(PROGRESS)]
    assert code == 0, said
    assert len(said) == 3, said  # the summary, how many were rejected, and what comes next
    return peak[0]


def _watch(driver: int, peak: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.1):
        total = 0
        for pid in members(driver):
            try:
                total += psutil.Process(pid).memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total / 1e6)


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
    for name, workers in (("one", 1), ("two", 2)):
        peak = run(warm, given, tmp_path / name, workers)
        print(f"{workers} workers: {peak:.0f} MB")
        assert peak < MAX_MB
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
