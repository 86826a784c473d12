"""A worker process that dies, again and again: the job ends with a line that says at what."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.faults.cases import MVQ, PARTS, Corpus
from tests.faults.trees import LocalTree, members
from tests.faults.warm import WarmServer
from wavemill.pipelines import whereabouts
from wavemill.pipelines.shared_memory import shared


def at_work(driver: int, workers: list[int]) -> list[int]:
    """List the workers that have noted what they are at, by the memory that is theirs."""
    for link in Path(f"/proc/{driver}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if f"memfd:{whereabouts.NAME}" in str(link.readlink()):
                with link.open("rb") as notes:
                    return [
                        one for one in workers if os.pread(notes.fileno(), 1, one * 4096) > b"\0"
                    ]
    return []


def test_a_job_whose_worker_dies_says_at_what_and_does_not_try_for_ever(
    warm: WarmServer, tmp_path: Path
) -> None:
    corpus, out, log = Corpus(tmp_path, start=warm.start), tmp_path / "out", tmp_path / "log"
    words = ("prepare", corpus.all, "--out", str(out), *PARTS, *MVQ, "--workers", "2", "--quiet")
    for _ in range(2):
        process, tree = warm.start(words, log, {}), LocalTree()
        while not (found := at_work(process.pid, members(process.pid))):
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)
        assert process.wait(60) == 1
        tree.settle(process.pid)
        (line,) = log.read_text().splitlines()
        at = r"at the (recording \S+ \(\S+\)|tokenizer mvq, segments \S+ to \S+)"
        assert re.search(rf"a worker process died \(.* code -9\) {at}; too little", line), line
        assert "if it dies there again, leave that out; what was finished is kept" in line


def test_notes_are_those_of_processes_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    whereabouts.note("nobody asked")
    with shared(whereabouts.NAME) as (memory, place):
        assert whereabouts.last_words(memory) == ""
        monkeypatch.setenv(whereabouts.VARIABLE, place)
        child = os.fork()
        if not child:
            whereabouts.note("a long recording " + "x" * 5000)
            whereabouts.note("the recording caf\u00e9")
            os._exit(0)
        os.waitpid(child, 0)
        whereabouts.note("something else")
        assert whereabouts.last_words(memory) == "the recording caf\u00e9"
    assert whereabouts.last_words(None) == ""
