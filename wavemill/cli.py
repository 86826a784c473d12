"""The command line: the group, and what becomes of errors. `commands/` has the rest."""

import logging
import sys

import click

import wavemill
from wavemill.commands import COMMANDS
from wavemill.errors import WavemillError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(wavemill.__version__, prog_name="wavemill")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and engines' logs.")
def main(debug: bool) -> None:  # noqa: FBT001 - click's convention
    r"""Turn recordings into tokens and training shards.

    \b
    wavemill prepare speech/ --out prepared --segment vad --tokenizer beats
    wavemill inspect prepared
    """
    logging.basicConfig(level=logging.INFO if debug else logging.ERROR, format="%(message)s")


def run() -> None:
    """Run the command line; every error is one readable line, unless `--debug` is given."""
    # Wherever it stands: `wavemill prepare ... --debug` is what one types after an error.
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        main(args=["--debug", *arguments] if debug else arguments, standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what was finished is kept, run the same command to go on", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _fail(error)


def _fail(error: Exception) -> None:
    if isinstance(error, WavemillError):
        click.echo(f"wavemill: {error}", err=True)
        sys.exit(error.exit_code)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        words = f"{error.strerror or error}{where}"
    else:
        words = f"{type(error).__name__}: {error}"
    click.echo(f"wavemill: {words}; --debug shows where", err=True)
    sys.exit(1)


for command in COMMANDS:
    main.add_command(command)
