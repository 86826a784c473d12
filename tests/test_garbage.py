"""Garbage: a command looks for cycles rarely while it loads, and as ever once it works."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SPEECH
from wavemill.garbage import LOADING, begin_loading, end_loading

HELLO = str(SPEECH / "audio/hello-world.flac")


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


@pytest.mark.parametrize(
    ("words", "threshold"),
    [
        (("prepare", HELLO, "--out", "{new}"), "usual"),
        (("lint", "{prepared}"), "usual"),
        (("fit", "kmeans", HELLO, "--out", "{new}", "--units", "2"), "usual"),
        (("inspect", "{prepared}"), "rare"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_a_command_that_has_stages_works_with_the_usual_threshold(
    words: tuple[str, ...], threshold: str, prepared: Path, tmp_path: Path
) -> None:
    script = """
import atexit, gc
usual = gc.get_threshold()
from wavemill.__main__ import run
atexit.register(lambda: print("usual" if gc.get_threshold() == usual else "rare"))
run()
"""
    places = {"new": tmp_path / "new", "prepared": prepared}
    command = [sys.executable, "-c", script, *(word.format(**places) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == threshold
