"""The option of commands that read some splits of hypotheses."""

from collections.abc import Callable, Sequence
from typing import Any

import click

Command = Callable[..., Any]

NAMES = ("train", "validation", "test")


def splits_option(words: str, default: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Give a command `--split`, which may be given again, as `splits`."""
    return click.option(
        "--split",
        "splits",
        type=click.Choice(NAMES),
        multiple=True,
        default=default,
        show_default=bool(default),
        help=words,
    )
