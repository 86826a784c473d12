"""`wavemill completion`: what makes a shell complete commands."""

import click
from click.shell_completion import get_completion_class

from wavemill.commands.output import as_json, emit

SHELLS = ("bash", "zsh")
VARIABLE = "_WAVEMILL_COMPLETE"


@click.command(short_help="Complete commands and options in bash or zsh.")
@click.argument("shell", type=click.Choice(SHELLS))
@as_json
@click.pass_context
def completion(context: click.Context, shell: str, *, json_: bool) -> None:
    r"""Print a script by which a shell completes commands, options, names and files.

    \b
    wavemill completion bash >> ~/.bashrc
    wavemill completion zsh >> ~/.zshrc
    eval "$(wavemill completion bash)"

    The first two last from the next shell on, the third for this one. In zsh they come after
    `autoload -Uz compinit && compinit`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "wavemill", VARIABLE).source()
    emit({"shell": shell, "script": script}, [script], json_=json_)
