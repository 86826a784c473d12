"""What a shell completes where a value stands: names of tables, words, else files.

A shell waits for the answer at each press of a key, and to load the tables takes seconds, as they
load torch. So their names are read out of their sources.
"""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

import wavemill

TABLES = {
    "tokenizer": ("tokenizers/table.py", "TOKENIZERS"),
    "recognizer": ("hypotheses/recognizers/table.py", "RECOGNIZERS"),
    "recipe": ("models/table.py", "RECIPES"),
    "teacher": ("tokenizers/teachers/table.py", "TEACHERS"),
}
"""The name of a parameter, and the table whose names it takes."""
WORDS = {
    "runner": ("DirectRunner", "FlinkRunner", "SparkRunner", "DaskRunner", "DataflowRunner",
               "PortableRunner"),
    "segment": ("none", "vad", "fixed:", "manifest"),
    "device": ("cpu", "cuda"),
    "precision": ("float32", "bfloat16"),
    "preset": ("small", "paper"),
}  # fmt: skip
_LISTED = re.compile(r"[a-z]+(\|[a-z]+)+")


class Value(type(click.STRING)):  # type: ignore[misc]
    """Text: one of some words, or the name of a file or folder."""

    def __init__(self, words: Sequence[str] = (), table: tuple[str, str] | None = None) -> None:
        """Know the words, or the file and variable of a table whose keys they are."""
        self._words, self._table = words, table

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List what may stand here; an empty list of words leaves it to the shell's files."""
        del ctx, param
        words = table_names(*self._table) if self._table else self._words
        found = [CompletionItem(word) for word in words if word.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


def table_names(path: str, variable: str) -> list[str]:
    """Read the keys of a table, a dict that is written out, without loading its module."""
    source = (Path(wavemill.__file__).parent / path).read_text("utf-8")
    for statement in ast.parse(source).body:
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.target.id == variable
            and isinstance(statement.value, ast.Dict)
        ):
            keys = statement.value.keys
            return sorted(str(key.value) for key in keys if isinstance(key, ast.Constant))
    return []


def complete_values(command: click.Command) -> None:
    """Tell a shell what the texts are that a command and those below it take."""
    for param in command.params:
        if param.type in (click.STRING, click.UNPROCESSED):
            param.type = _value_of(param)
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        complete_values(child)


def _value_of(param: click.Parameter) -> Value:
    name = str(param.name)
    if name in TABLES:
        return Value(table=TABLES[name])
    if param.metavar and _LISTED.fullmatch(param.metavar):
        return Value(param.metavar.split("|"))
    return Value(WORDS.get(name, ()))
