"""Completion, in the shells themselves."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from wavemill.cli import main
from wavemill.commands.completing import TABLES, table_names
from wavemill.hypotheses.recognizers.table import RECOGNIZERS
from wavemill.models.table import RECIPES
from wavemill.tokenizers.table import TOKENIZERS
from wavemill.tokenizers.teachers.table import TEACHERS

BASH = """
eval "$(wavemill completion bash)"
complete_line() {
    COMP_WORDS=($1 "$2"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _wavemill_completion wavemill "$2" ""
    [ -z "$COMPREPLY" ] || echo "${COMPREPLY[*]}"
}
compopt() { echo files; }
"""
ZSH = """
compdef() { :; }; autoload() { :; }
compadd() { print -r -- ${(P)@[-1]} }
_describe() { print -r -- ${(P)3//:*/} }
_path_files() { print files }
eval "$(wavemill completion zsh)"
complete_line() { words=(${=1} "$2"); CURRENT=$#words; _wavemill_completion }
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the command `wavemill`, first in PATH."""
    command = tmp_path / "bin" / "wavemill"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m wavemill "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=":")
    return tmp_path


def lines(shell: str, script: str, *asked: str) -> list[str]:
    questions = "".join(f"complete_line {question}\n" for question in asked)
    done = subprocess.run(
        [shell, *(["-f"] if shell == "zsh" else ["--norc"]), "-c", script + questions],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH)])
def test_a_shell_completes_commands_options_names_and_files(shell: str, script: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    said = lines(
        shell, script, "wavemill ins", "'wavemill prepare' --tokeni",
        "'wavemill prepare --tokenizer' m", "'wavemill train' token",
        "'wavemill prepare --audio' o", "'wavemill inspect' prep",
    )  # fmt: skip
    text = "\n".join(said)
    for word in ("inspect", "--tokenizer", "mimi", "mvq", "token-lm", "opus"):
        assert word in text.split(), (word, said)
    assert said[-1] == "files"


def test_names_are_those_of_the_tables_that_are_not_loaded() -> None:
    tables: dict[str, Mapping[str, object]] = {
        "tokenizer": TOKENIZERS,
        "recognizer": RECOGNIZERS,
        "recipe": RECIPES,
        "teacher": TEACHERS,
    }
    assert {what: table_names(*TABLES[what]) for what in TABLES} == {
        what: sorted(table) for what, table in tables.items()
    }
    params = {str(param.name) for command in main.commands.values() for param in command.params}
    assert {"tokenizer", "recognizer", "recipe"} <= params


def test_help_and_completion_load_neither_torch_nor_beam_nor_numpy() -> None:
    script = """
import sys
from wavemill.__main__ import run
try:
    run()
finally:
    assert not {"torch", "apache_beam", "numpy", "pyarrow"} & set(sys.modules), "too much"
"""
    for variables in ({}, {"_WAVEMILL_COMPLETE": "bash_complete", "COMP_CWORD": "3",
                           "COMP_WORDS": "wavemill prepare --tokenizer m"}):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", f"import os; os.environ |= {variables!r}\n{script}", "--help"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
