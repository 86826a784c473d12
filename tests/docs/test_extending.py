"""Whoever does what a page of `docs/extend/` says has a step of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.session import Session

EXTENDING = ROOT / "docs/extend"


def follow(page: str, folder: Path, *, slow: bool = False) -> list[str]:
    """Do all that a page says, but for what is slow; return the files it made or changed."""
    session, touched = Session(folder, changes=True), []
    for block in blocks(EXTENDING / page):
        if block.title is not None:
            session.write(block)
            touched.append(block.title)
        elif block.language == "bash" and ("slow" in block.marks) <= slow:
            session.run(block)
    return touched


def rows_added(page: str) -> list[str]:
    added = [block.code for block in blocks(EXTENDING / page) if block.language == "diff"]
    lines = [line[1:].strip() for line in added[0].splitlines() if line.startswith("+")]
    return [line for line in lines if not line.startswith("from ")]


def test_a_tokenizer_takes_one_file_and_one_row_of_a_table(tmp_path: Path) -> None:
    touched = follow("tokenizer.md", tmp_path)
    package = [name for name in touched if name.startswith("wavemill/")]
    assert package == ["wavemill/tokenizers/loudness.py", "wavemill/tokenizers/table.py"]
    assert len(rows_added("tokenizer.md")) == 1
    streams = json.loads((tmp_path / "prepared/dataset.json").read_text())["tokenizers"]
    assert {name: facts["kind"] for name, facts in streams.items()} == {
        "loudness": "loudness",
        "coarse": "loudness",
    }
    assert streams["loudness"]["used"] > 30 > streams["coarse"]["used"] > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("segmenter.md", "prepared/dataset.json"),
        ("recognizer.md", "nbest/README.md"),
        ("recipe.md", "run/run.json"),
    ],
)
def test_others_take_one_file_and_one_row_of_a_table(page: str, made: str, tmp_path: Path) -> None:
    file, table = follow(page, tmp_path)
    assert file != table
    assert len(rows_added(page)) == 1
    assert (tmp_path / made).exists()


@pytest.mark.slow
def test_the_tokenizer_of_the_page_is_what_every_tokenizer_has_to_be(tmp_path: Path) -> None:
    follow("tokenizer.md", tmp_path, slow=True)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["tokenizer.md", "segmenter.md", "recognizer.md", "recipe.md"])
def test_the_code_of_pages_is_as_clean_as_ours(page: str, tmp_path: Path) -> None:
    session = Session(tmp_path, changes=True)
    for block in blocks(EXTENDING / page):
        if block.title is not None:
            session.write(block)
    for tool in ("ruff check wavemill tests", "ruff format --check wavemill tests", "mypy"):
        command = [sys.executable, "-m", *tool.split()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
