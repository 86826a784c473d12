"""The options of all jobs: where they run, what they print, what they leave."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.config import BEAM
from wavemill.errors import UsageError

if TYPE_CHECKING:
    from wavemill.pipelines.engine import Engine

Command = Callable[..., Any]

JOB_CONTEXT = {"ignore_unknown_options": True, "max_content_width": 100}
"""What click is told of a job's command: options that it does not know are Beam's."""
NOTHING_WRITTEN = "dry run: nothing was written"

_OPTIONS = (
    click.option(
        "--workers",
        type=int,
        help="Processes, locally; if not given, as many as the job is worth; one for a GPU.",
    ),
    click.option(
        "--runner", default="DirectRunner", show_default=True, help="An engine that Beam knows."
    ),
    click.option("--clean/--no-clean", help="Remove the spool (OUT/_work) after success."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
    click.option("--quiet", is_flag=True, help="No progress."),
)


unit_mb_option = click.option(
    "--unit-mb",
    type=float,
    default=16,
    show_default=True,
    help="About how much input one unit of work holds.",
)
verify_option = click.option(
    "--verify", is_flag=True, help="Read finished shards again, and rewrite what was damaged."
)


def max_rejected_option(words: str) -> Callable[[Command], Command]:
    """Give a command the share of its input that may be bad."""
    return click.option(
        "--max-rejected", type=float, default=0.05, show_default=True, metavar="F", help=words
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


def engine_of(options: dict[str, Any], beam: Sequence[str]) -> "Engine":
    """Return the engine that a job's options ask for, with Beam's own."""
    from wavemill.pipelines.engine import Engine

    return Engine(runner=options["runner"], workers=options["workers"], options=tuple(beam))


def stage_lines(plan: dict[str, Any]) -> Iterator[str]:
    """Say for people what a dry run found left to do of each stage."""
    for stage, count in plan["units_to_do"].items():
        yield f"  {stage}: {count:,} of {plan['units']:,} units to do"


def _unknown(argument: str, command: click.Command) -> str:
    known = [name for option in command.params for name in option.opts if name.startswith("--")]
    close = difflib.get_close_matches(argument.split("=", 1)[0], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"a file of that name is ./{argument};"
    return f"no such option: {argument}; {hint} `wavemill {command.name} --help` lists them"
