"""Garbage: a command looks for cycles rarely while it loads, and as ever once it works."""

import gc
import subprocess
import sys

from tests.conftest import UTTERANCES
from wavemill.garbage import LOADING, begin_loading, end_loading


def test_what_was_never_begun_is_not_ended() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    end_loading()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == frozen


def test_after_loading_cycles_are_looked_for_as_before() -> None:
    before = gc.get_threshold()
    begin_loading()
    try:
        assert gc.get_threshold() == LOADING
        end_loading()
        assert gc.get_threshold() == before
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_a_job_works_with_the_usual_threshold() -> None:
    script = f"""
import atexit, gc, sys
usual = gc.get_threshold()
from wavemill.__main__ import run
sys.argv = ["wavemill", "prepare", {str(UTTERANCES)!r}, "--out", "none", "--dry-run"]
atexit.register(lambda: print("usual" if gc.get_threshold() == usual else "rare"))
run()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "usual"
