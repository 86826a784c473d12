"""The documentation's pages, and the blocks of code in them.

Comments before a block, which no reader sees, say what the tests do with it:

    <!-- not run: REASON -->                 it is not run
    <!-- not run where "TEXT": REASON -->    commands that hold the text are not run
    <!-- slow -->                            it is run, but not in the fast suite
    <!-- command: NAME -->                   something else runs it: `.ci/run` or `tests/engines`
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "examples/README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"),
]
_COMMENT = re.compile(r"<!-- (.+?) -->")
_SOME = re.compile(r'not run where "(.+)": ')


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    title: str | None
    """The file that it is to be written to, or what is to be changed in it."""
    code: str
    marks: tuple[str, ...]

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether any of it is run as it stands."""
        return not any(mark.startswith(("not run: ", "command: ")) for mark in self.marks)

    @property
    def left_out(self) -> list[str]:
        """What commands hold that are not run."""
        return [found[1] for mark in self.marks if (found := _SOME.match(mark))]

    @property
    def commands(self) -> list[str]:
        """Its commands, each on one line."""
        joined = self.code.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and line.strip()[0] != "#"]

    @property
    def script(self) -> str:
        """What of a block of bash is run."""
        kept = (one for one in self.commands if not any(text in one for text in self.left_out))
        return "\n".join(kept)


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks in order."""
    return list(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    marks: list[str] = []
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        if token.type == "html_block":
            marks += _COMMENT.findall(token.content)
        elif token.type == "fence":
            assert token.map is not None
            language, _, rest = token.info.partition(" ")
            title = re.search(r'title="(.+?)"', rest)
            yield Block(
                page=page, line=token.map[0] + 1, language=language, code=token.content,
                title=title[1] if title else None, marks=tuple(marks),
            )  # fmt: skip
            marks = []
        elif token.type == "code_block":
            yield Block(
                page=page, line=(token.map or [0])[0] + 1, language="", code=token.content,
                title=None, marks=(),
            )  # fmt: skip
        elif token.type in ("paragraph_open", "heading_open"):
            marks = []
