"""Two jobs on one output folder: the second refuses, or comes after; the dataset is whole."""

import contextlib
import errno
import fcntl
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.faults.cases import MVQ, PARTS, Corpus
from tests.faults.places import Folder
from tests.faults.warm import WarmProcess, WarmServer
from tests.pipelines.join_files import run_add, run_prepare, utterances, write_manifest
from wavemill.errors import JobError, UsageError
from wavemill.pipelines import join, lock, prepare
from wavemill.pipelines.lock import locked

SECONDS = 120.0


def commands(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """Jobs that may meet on a folder."""
    return {
        "same": ("prepare", corpus.old, *PARTS, *MVQ),
        "other": ("prepare", corpus.old, *PARTS, *MVQ, "--audio", "none", "--buckets", "2"),
        "add": ("add", corpus.new, "--unit-mb", "0.3"),
        "merge": (
            "merge",
            *(
                str(corpus.dataset(f"{age}-clean", getattr(corpus, age), "--clean"))
                for age in ("old", "new")
            ),
        ),
    }


def test_jobs_that_meet_leave_what_one_after_the_other_would(
    few: Corpus, warm: WarmServer, tmp_path: Path
) -> None:
    meet(few, warm, tmp_path, rounds=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_jobs_that_meet_leave_what_one_after_the_other_would(
    seed: int, few: Corpus, warm: WarmServer, tmp_path: Path
) -> None:
    meet(few, warm, tmp_path, rounds=15, seed=seed)


def meet(corpus: Corpus, warm: WarmServer, folder: Path, rounds: int, seed: int) -> None:
    """Start two jobs a random moment apart; the second is refused unless the first has ended."""
    jobs, dice = commands(corpus), random.Random(seed)
    old, out = corpus.dataset("old", corpus.old), folder / "out"
    logs = folder / "first", folder / "second"
    refused = 0
    for _ in range(rounds):
        before, could = dice.choice(((old, ("same", "other", "add")), (None, ("same", "merge"))))
        Folder(out).fill(before)
        names = [dice.choice(could) for _ in range(2)]
        processes = []
        for name, log in zip(names, logs, strict=True):
            processes.append(begin(warm, jobs[name], out, log))
            time.sleep(dice.uniform(0, 0.7))
        codes = [process.wait(SECONDS) for process in processes]
        done = [name for name, code in zip(names, codes, strict=True) if code == 0]
        for code, log in zip(codes, logs, strict=True):
            assert code == 0 or said_why(log), (names, log.read_text())
        assert done
        refused += len(done) == 1
        alone = folder / "alone"
        Folder(alone).fill(before)
        for name in done:
            process = begin(warm, jobs[name], alone, logs[0])
            assert process.wait(SECONDS) == 0, logs[0].read_text()
        assert Folder(out).digests() == Folder(alone).digests(), names
    assert refused


def begin(warm: WarmServer, words: tuple[str, ...], out: Path, log: Path) -> WarmProcess:
    return warm.start([*words, "--out", str(out)], log, {})


def said_why(log: Path) -> bool:
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("wavemill: ")]
    reasons = (
        "another job is writing to",
        "this job would drop",
        "by another job",
        "holds another",
    )
    return any(reason in line for reason in reasons)


def test_a_job_that_was_killed_holds_nothing_back(
    few: Corpus, warm: WarmServer, tmp_path: Path
) -> None:
    jobs, out, log = commands(few), tmp_path / "out", tmp_path / "log"
    first = begin(warm, jobs["same"], out, tmp_path / "first")
    while not any(out.glob("_work/segments-*/*")):
        time.sleep(0.002)
    os.kill(first.pid, signal.SIGSTOP)
    for name in ("same", "other"):
        second = begin(warm, jobs[name], out, log)
        assert second.wait(SECONDS) == 1
        assert "another job is writing to" in log.read_text()
    first.kill()
    assert begin(warm, jobs["same"], out, log).wait(SECONDS) == 0, log.read_text()
    assert Folder(out).digests() == Folder(few.dataset("old", few.old)).digests()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *((code, r"cannot lock .*mount the file system with locks") for code in lock.NO_LOCKS),
        (errno.EIO, "Input/output error; see that the disk is there"),
    ],
)
def test_what_keeps_a_lock_from_being_taken_is_told_in_a_line_with_its_remedy(
    code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(JobError, match=words), locked(str(tmp_path / "_work")):
        pass


def test_a_lock_that_its_holder_removes_at_its_end_does_not_let_two_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, flock = tmp_path / "_work", fcntl.flock
    calls = []

    def flock_late(file: Any, what: int) -> None:
        calls.append(what)
        if len(calls) == 1:  # the one that held it just now ends, with `--clean`
            shutil.rmtree(work)
        flock(file, what)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    with locked(str(work)):
        assert len(calls) == 2
        with pytest.raises(JobError, match="another job"), locked(str(work)):
            pass


@dataclass(frozen=True, kw_only=True)
class Growing:
    """A dataset of old utterances, and new ones for it."""

    old: str
    new: str
    out: Path


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    old = write_manifest(tmp_path / "old.jsonl", utterances(4))
    new = write_manifest(tmp_path / "new.jsonl", utterances(2, start=4))
    run_prepare([old], tmp_path / "out")
    return Growing(old=old, new=new, out=tmp_path / "out")


@contextlib.contextmanager
def just_before(module: ModuleType, other: Callable[[], object]) -> Iterator[None]:
    """Let another job run to its end before one of a module gets the lock."""

    @contextlib.contextmanager
    def late(work: str, *_: object) -> Iterator[None]:
        other()
        with locked(work):
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "locked", late)
        yield


def test_what_was_added_while_a_job_looked_at_its_inputs_is_not_dropped(growing: Growing) -> None:
    with (
        just_before(prepare, lambda: run_add([growing.new], growing.out)),
        pytest.raises(UsageError, match="this job would drop that"),
    ):
        run_prepare([growing.old], growing.out)


def test_add_goes_on_with_no_other_dataset_than_it_was_set_up_for(growing: Growing) -> None:
    with (
        just_before(join, lambda: run_prepare([growing.old], growing.out, audio="none")),
        pytest.raises(JobError, match="changed by another job"),
    ):
        run_add([growing.new], growing.out)
