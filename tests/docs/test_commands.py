"""Every command line in the README and the documentation is one that the programs understand."""

import re

import click
import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.docs.shell import check
from wavemill.errors import UsageError

BASH = [block for page in PAGES for block in blocks(page) if block.language == "bash"]

ADDED = {
    page: re.findall(r'^\+ +"([\w-]+)": \(', page.read_text("utf-8"), flags=re.MULTILINE)
    for page in PAGES
}
"""Names that a page puts into a table."""


@pytest.mark.parametrize("block", BASH, ids=lambda block: block.where)
def test_commands_name_what_exists(block: Block) -> None:
    for line in block.commands:
        try:
            check(line, ADDED[block.page])
        except Exception as error:
            raise AssertionError(f"{block.where}: {line.strip()}: {error}") from error


@pytest.mark.parametrize(
    "line",
    [
        "wavemill prepare speech/ --out prepared --tokeniser beats",
        "wavemill prepare speech/ --out prepared --tokenizer beat",
        "wavemill prepare speech/ --out prepared --segment vad:max_second=3",
        "wavemill prepare speech/ --out prepared --buckets ten",
        "wavemill inspect prepared && wavemill trian token-lm",
        "wavemill prepare speech/ --out prepared $(python -m scripts.cluster options flink)",
        "torchrun --nproc-per-node 8 -m wavemill train token-ml --data prepared --out run",
        "python benchmarks/nothing.py",
        "pip install -c constraints.txt -e '.[codec]'",
        "wavmill inspect prepared",
        "wavemill train token-lm --data prepared",
    ],
)
def test_a_command_that_names_what_does_not_exist_is_found(line: str) -> None:
    with pytest.raises((ValueError, UsageError, click.UsageError)):
        check(line)


def test_marks_say_what_the_tests_know_and_why() -> None:
    for block in BASH:
        for mark in block.marks:
            known = mark == "slow" or mark.startswith(("not run: ", "not run where ", "command: "))
            assert known, f"{block.where}: {mark}"
            assert mark.partition(": ")[2] or mark == "slow", f"{block.where}: no reason"
        for text in block.left_out:
            assert any(text in one for one in block.commands), f"{block.where}: no {text!r}"


def test_commands_are_fenced_so_that_they_are_looked_at() -> None:
    for page in PAGES:
        for block in blocks(page):
            first = block.code.split(maxsplit=1)[0]
            is_command = first in ("wavemill", "python", "pip", "pytest", "torchrun")
            assert not is_command or block.language == "bash", block.where


def test_pages_are_there() -> None:
    assert {page.relative_to(ROOT).as_posix() for page in PAGES} > {
        "README.md",
        "docs/extend/tokenizer.md",
        "docs/first-run.md",
        "docs/flink.md",
    }
