"""How commands print: lines for people, or one JSON object as the last line."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from wavemill.errors import JobError

Command = Callable[..., Any]


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
    """Lay rows out in columns, numbers to the right; widths fit the content."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    right = [
        all(_is_number(row[column]) for row in cells[1:]) and len(cells) > 1
        for column in range(len(head))
    ]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("%", "").replace(" ", "").isdigit()
