"""What mkdocs asks while it builds the site (`hooks` in mkdocs.yml).

The page of commands is what `--help` says, so it cannot be out of date; notes on decisions are
listed by what lies in their folder.
"""

from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from wavemill.cli import main

COMMANDS = "reference/commands.md"
DECISIONS = "decisions/README.md"
COLUMNS = 92


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of commands."""
    files.append(File.generated(config, COMMANDS, content="\n".join(_commands())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """List the notes on decisions, the newest first."""
    del files
    if page.file.src_uri != DECISIONS:
        return markdown
    notes = (Path(config.docs_dir) / DECISIONS).parent.glob("2*.md")
    return "\n".join([markdown, "", *map(_note, sorted(notes, reverse=True))])


def _note(note: Path) -> str:
    date = note.name[: len("2026-11-26")]
    heading = note.read_text("utf-8").split("\n", 1)[0].lstrip("# ")
    return f"- {date}: [{heading.removeprefix(f'{date}: ')}]({note.name})"


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "What `wavemill COMMAND --help` says, of this version.\n"
    settings = {**main.context_settings, "terminal_width": COLUMNS}
    yield from _command(main, click.Context(main, info_name="wavemill", **settings), 2)


def _command(command: click.Command, context: click.Context, depth: int) -> Iterator[str]:
    yield f"{'#' * depth} {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        if not child.hidden:
            inner = click.Context(child, parent=context, info_name=name, **child.context_settings)
            yield from _command(child, inner, depth + 1)
