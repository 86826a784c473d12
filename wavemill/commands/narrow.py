"""Tables on a terminal that is narrower than they are: cells are folded, or rows become blocks."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

GAP = 2
"""Spaces between columns."""
LEAST = 16
"""A column of words that is folded is at least so wide."""
INDENT = "  "


def terminal_width() -> int | None:
    """Return the terminal's columns; None where standard output is something else."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(text: str, indent: str = "") -> list[str]:
    """Break a line at its words where the terminal would break it anywhere."""
    width = terminal_width()
    if width is None or len(text) <= width:
        return [text]
    return _wrap(text, width, indent)


def fitting(columns: Sequence[Sequence[str]], is_text: Sequence[bool], width: int) -> list[int]:
    """Narrow columns of words, the widest first, until a table fits.

    Args:
        columns: of cells, the head first.
        is_text: which of them may be folded.
        width: of the terminal.

    Returns:
        The columns' widths; none if a word of theirs would have to be broken.

    """
    widths = [max(map(len, column)) for column in columns]
    least = [max(LEAST, *map(_longest_word, column)) for column in columns]
    over = sum(widths) + GAP * (len(widths) - 1) - width
    foldable = [column for column, text in enumerate(is_text) if text]
    while over > 0:
        foldable = [column for column in foldable if widths[column] > least[column]]
        if not foldable:
            return []
        widths[max(foldable, key=widths.__getitem__)] -= 1
        over -= 1
    return widths


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def fold_row(row: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    """Yield the lines of a row whose cells are folded to their columns' widths."""
    cells = [
        _wrap(cell, width) if len(cell) > width else [cell]
        for cell, width in zip(row, widths, strict=True)
    ]
    for number in range(max(map(len, cells))):
        yield [cell[number] if number < len(cell) else "" for cell in cells]


def blocks(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield rows as blocks: the first cell, and below it what the others are and say."""
    for first, *others in rows:
        yield first
        said = "; ".join(
            f"{name} {cell}".lstrip() for name, cell in zip(head[1:], others, strict=True) if cell
        )
        if said:
            yield from _wrap(INDENT + said, width, INDENT)


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    found = textwrap.wrap(
        text, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True
    )
    return found or [""]
