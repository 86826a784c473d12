"""The command line: the group, and what becomes of errors. `commands/` has the rest."""

import gc
import inspect
import io
import logging
import os
import sys
from typing import NoReturn

import click

import wavemill
from wavemill.commands import COMMANDS
from wavemill.commands.completing import complete_values
from wavemill.errors import WavemillError
from wavemill.stopping import leave_if_stopped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(wavemill.__version__, prog_name="wavemill")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and engines' logs.")
def main(debug: bool) -> None:  # noqa: FBT001 - click's convention
    r"""Turn recordings into tokens and training shards.

    \b
    wavemill examples --out speech
    wavemill prepare speech/manifest.jsonl --out prepared --tokenizer tiny
    wavemill inspect prepared

    `wavemill doctor` says what is installed, `wavemill COMMAND --help` what a command takes.
    """
    # Errors reach us as exceptions; engines log the same ones too, with tracebacks.
    logging.basicConfig(level=logging.INFO if debug else logging.CRITICAL, format="%(message)s")


def run() -> None:
    """Run the command line; every error is one readable line, unless `--debug` is given."""
    # Wherever it stands: `wavemill prepare ... --debug` is what one types after an error.
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    if debug:
        arguments.insert(0, "--debug")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold any byte
    try:
        sys.exit(main(args=arguments, prog_name="wavemill", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        leave_if_stopped()
        if debug and not isinstance(error, click.ClickException):
            raise
        _fail(error)
    finally:
        _settle_output()
        # What is left goes with the process: to look for cycles in torch and Beam takes a second.
        gc.freeze()


def _fail(error: BaseException) -> NoReturn:
    if isinstance(error, click.Abort) and error.__cause__:  # click's word for an EOFError
        error = error.__cause__
    code = 1
    if isinstance(error, WavemillError):
        words, code = str(error), error.exit_code
    elif isinstance(error, click.ClickException):
        words, code = _usage(error), error.exit_code
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        words = f"{where}{error.strerror or error}; mend that and try again, or see --debug"
    else:
        words = f"{type(error).__name__}: {error}; --debug shows where"
    click.echo(f"wavemill: {' '.join(words.splitlines())}", err=True)
    sys.exit(code)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "wavemill"
    return f"{error.format_message().rstrip('.')}; see `{command} --help`"


def _settle_output() -> None:
    """Write out what waits; where that fails, keep the interpreter from trying again."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _examples_first(command: click.Command) -> None:
    r"""Move examples up to the first words, and keep their lines as they are.

    A paragraph of examples begins with \b, the character of which click wants to see.
    """
    paragraphs = inspect.cleandoc(command.help or "").replace("\\b", "\b").split("\n\n")
    paragraphs[1:] = sorted(paragraphs[1:], key=lambda paragraph: not paragraph.startswith("\b"))
    command.help = "\n\n".join(paragraphs)
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        _examples_first(child)


for command_ in COMMANDS:
    main.add_command(command_)
_examples_first(main)
complete_values(main)
