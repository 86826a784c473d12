"""The documentation is built as a site that needs nothing from anywhere else."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
LINKS_THAT_LOAD_NOTHING = {"canonical", "next", "prev", "alternate"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    mkdocs = [sys.executable, "-W", "ignore", "-m", "mkdocs"]
    command = [*mkdocs, "build", "--strict", "-q", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    """Collects what a page loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADED and given.get("rel") not in LINKS_THAT_LOAD_NOTHING:
            self.found.append(given.get(LOADED[tag]) or "")


def test_every_page_and_note_is_in_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / name.replace("README", "index")).is_file(), name


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    loaded = {(page, place) for page in pages for place in Loads(page).found}
    assert loaded
    assert not [one for one in loaded if re.match(r"(https?:)?//", one[1])]
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text("utf-8")), sheet


def test_the_page_of_commands_has_every_command_and_that_of_the_loader_its_docstrings(
    site: Path,
) -> None:
    commands = (site / "reference/commands.html").read_text("utf-8")
    for name in ("wavemill prepare", "wavemill fit mvq", "--max-rejected"):
        assert name in commands
    loader = (site / "reference/loader.html").read_text("utf-8")
    assert "load_state_dict" in loader
    assert "Padded batches" in loader or "batch_seconds" in loader
