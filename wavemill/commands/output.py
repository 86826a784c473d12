"""How commands print: lines for people, or one JSON object as the last line."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from wavemill.commands import narrow
from wavemill.errors import JobError

Command = Callable[..., Any]

RULED_GAP = 3
"""Between the columns of a ruled table."""


def as_json(command: Command) -> Command:
    """Give a command the option `--json`."""
    return click.option(
        "--json", "json_", is_flag=True, help="Print one JSON object as the last line."
    )(command)


def emit(value: dict[str, Any], lines: Iterable[str], *, json_: bool) -> None:
    """Print a result in the form that was asked for.

    Raises:
        JobError: standard output takes nothing.

    """
    try:
        for line in [json.dumps(value, ensure_ascii=False, allow_nan=False)] if json_ else lines:
            click.echo(line)
    except BrokenPipeError:  # `| head` has seen enough; click ends the command
        raise
    except OSError as error:
        words = error.strerror or str(error)
        raise JobError(f"cannot write the result to standard output: {words}") from error


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lay rows out in columns, numbers to the right; widths fit the content, and a terminal."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    right = [
        all(_is_number(row[column]) for row in cells[1:]) and len(cells) > 1
        for column in range(len(head))
    ]
    width = narrow.terminal_width()
    if width is not None:
        columns = list(zip(*cells, strict=True))
        widths = narrow.fitting(columns, [not numbers for numbers in right], width)
        if not widths:
            return list(narrow.blocks(head, cells[1:], width))
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for row in cells
        for line in narrow.fold_row(row, widths)
    ]


def figures(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay rows of a name and figures out: ruled on a terminal that is wide enough, else `table`."""
    rows = list(rows)
    width = narrow.terminal_width()
    whole = sum(max(map(len, column)) + RULED_GAP for column in zip(head, *rows, strict=True))
    if width is None or whole - RULED_GAP > width:
        return table(head, rows)
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ruled = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in head:
        ruled.add_column(Text(name), justify="right" if ruled.columns else "left")
    for row in rows:
        ruled.add_row(*map(Text, row))  # as texts: a name may hold what rich takes for markup
    console = Console()
    with console.capture() as captured:
        console.print(ruled)
    return captured.get().splitlines()


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("%", "").replace(" ", "").isdigit()
