"""The help texts."""

from collections.abc import Iterator

import click
import pytest

from wavemill.cli import main


def contexts(
    command: click.Command, parent: click.Context | None = None
) -> Iterator[click.Context]:
    context = click.Context(
        command,
        info_name=command.name if parent else "wavemill",
        parent=parent,
        **command.context_settings,
    )
    yield context
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        yield from contexts(child, context)


def source_lines(command: click.Command) -> list[str]:
    return [line.strip() for line in (command.help or "").splitlines()]


COMMANDS = {context.command_path: context for context in contexts(main)}


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("columns", [80, 100])
def test_help_keeps_example_lines_whole(path: str, columns: int) -> None:
    context = COMMANDS[path]
    context.terminal_width = columns
    text = context.get_help()
    assert "\b" not in text
    assert "\\b" not in text
    lines = [line.strip() for line in text.splitlines()]
    for line in source_lines(context.command):
        if line.startswith("wavemill "):
            assert line in lines
    assert all(len(line) <= columns for line in text.splitlines())


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_shows_an_example(path: str) -> None:
    command = COMMANDS[path].command
    if not isinstance(command, click.Group):
        assert any(f"{line} ".startswith(f"{path} ") for line in source_lines(command))


@pytest.mark.parametrize("path", COMMANDS)
def test_help_shows_examples_first(path: str) -> None:
    _, usage, *paragraphs = COMMANDS[path].get_help().partition("\n")
    words = [part for part in "".join(paragraphs).split("\n\n") if part.strip()]
    examples = next(number for number, part in enumerate(words) if "  wavemill " in part)
    assert examples == 1  # after the line that says what the command does
    assert usage


LEAVES = {
    path: context.command
    for path, context in COMMANDS.items()
    if not isinstance(context.command, click.Group)
}


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_prints_json_if_asked(path: str) -> None:
    assert any("--json" in param.opts for param in LEAVES[path].params)
