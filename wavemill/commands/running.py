"""The options of all jobs: where they run, what they print, what they leave."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import click

from wavemill.commands.config import BEAM
from wavemill.errors import UsageError

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--workers", type=int, help="Processes, locally; if not given, as many as the job is worth."
    ),
    click.option(
        "--runner", default="DirectRunner", show_default=True, help="An engine that Beam knows."
    ),
    click.option("--clean/--no-clean", help="Remove the spool (OUT/_work) after success."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
    click.option("--quiet", is_flag=True, help="No progress."),
)


def as_job(command: Command) -> Command:
    """Give a command the options of a job."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def split_arguments(context: click.Context, given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split what click did not know into Beam's options, and arguments.

    Raises:
        UsageError: an option is neither ours nor Beam's.

    """
    from wavemill.pipelines.engine import split_beam_options

    beam, names = context.meta.get(BEAM, []), list(given)
    if beam or any(argument.startswith("-") for argument in names):
        beam, names = split_beam_options([*beam, *names])
    for argument in names:
        if argument.startswith("-"):
            raise UsageError(_unknown(argument, context.command))
    return beam, names


def _unknown(argument: str, command: click.Command) -> str:
    known = [name for option in command.params for name in option.opts if name.startswith("--")]
    close = difflib.get_close_matches(argument.split("=", 1)[0], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"a file of that name is ./{argument};"
    return f"no such option: {argument}; {hint} `wavemill {command.name} --help` lists them"
