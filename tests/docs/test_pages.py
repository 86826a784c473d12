"""Every page is gone through as it stands, from top to bottom, in a folder like a clone.

Not the pages of `docs/extend/`, which change the package: `test_extending.py` has those.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import stand_ins
from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.docs.session import Session

README = ROOT / "README.md"
"""Its Python is run by `tests/test_readme.py`."""
STEPS = 4
"""Of trainings that would take minutes."""
PROGRESS = re.compile(r"\w+: # of #")
"""What a job says that takes longer than ten seconds."""
RUN = [
    page
    for page in PAGES
    if page.parent.name != "extend"
    and any(block.is_run and block.language == "bash" for block in blocks(page))
]


def plain(line: str) -> str:
    """Leave of a printed line what is the same each time: its words."""
    return " ".join(re.sub(r"\d[\d,.:]*", "#", line).split())


def check_output(printed: str, shown: Block) -> None:
    """Compare what was printed to what a page shows of it; `...` stands for any lines."""
    lines = [line for line in map(plain, printed.splitlines()) if not PROGRESS.match(line)]
    position, skips = 0, False
    for line in map(plain, shown.code.splitlines()):
        if line == "...":
            skips = True
            continue
        where = lines.index(line, position) if skips and line in lines[position:] else position
        assert lines[where : where + 1] == [line], f"{shown.where}: {line!r} in\n{printed}"
        position, skips = where + 1, False
    assert skips or position == len(lines), f"{shown.where}: more was printed\n{printed}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with stand_ins.language_model():
        yield stand_ins.hub(tmp_path_factory.mktemp("hub"))


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_works_as_it_stands(page: Path, hub: dict[str, str], tmp_path: Path) -> None:
    session = Session(tmp_path, steps=STEPS, environment=hub)
    stand_ins.lay_out(tmp_path)
    if page == README:
        stand_ins.prepare_parts(tmp_path)
    printed = ""
    for block in blocks(page):
        is_code = block.language == "bash" or (block.language == "python" and page != README)
        if is_code and block.is_run and (block.language == "python" or block.script):
            printed = session.run(block)
        elif block.language == "text" and printed:
            check_output(printed, block)
            printed = ""
