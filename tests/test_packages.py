"""Packages: loaded by what needs them alone, and named with the pip line where they are missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SPEECH
from wavemill.errors import UsageError
from wavemill.packages import is_installed, require


def test_what_is_missing_is_named_with_who_needs_it_and_the_pip_line() -> None:
    words = r"the test needs no_such_package .*: pip install 'wavemill\[readers\]'"
    with pytest.raises(UsageError, match=words):
        require("no_such_package", "readers", "the test")


def test_what_is_there_is_told_apart_and_not_loaded() -> None:
    script = """
import sys
from wavemill.packages import is_installed
assert is_installed("torch") and not is_installed("no_such_package")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert require("json", "readers", "the test") is sys.modules["json"]
    assert is_installed("json")


@pytest.mark.parametrize("options", [(), ("--segment", "vad", "--max-rejected", "1", "--dedup")])
def test_a_job_without_a_tokenizer_does_not_load_torch(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    script = """
import atexit, sys
from wavemill.__main__ import run
atexit.register(lambda: print(sorted({"torch", "apache_beam"} & set(sys.modules))))
run()
"""
    given = ["prepare", str(SPEECH), "--out", str(tmp_path / "out"), *options, "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", script, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "dataset.json").exists()
    assert done.stdout.splitlines()[-1] == "['apache_beam']"
