"""Reads command lines without running them: every option of ours that they name exists."""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, cast

import click
from apache_beam.options.pipeline_options import PipelineOptions

from tests.docs.pages import ROOT
from wavemill.cli import main
from wavemill.commands.from_text import from_text
from wavemill.hypotheses.recognizers.table import RECOGNIZERS
from wavemill.models.table import RECIPES
from wavemill.models.training.settings import TrainSettings
from wavemill.pipelines.segmenters import parse_segmenter
from wavemill.specs import Spec, configure
from wavemill.tokenizers.table import TOKENIZERS

OTHERS = {
    ".", "apt-get", "diff", "echo", "export", "lhotse", "ls", "mkdocs", "pytest", "tensorboard",
}  # fmt: skip
"""Programs that are not ours."""
OF_JOB_SERVERS = {"--parallelism"}
"""Options that Beam learns of a job server when it asks it."""
_ENDS = {"&&", "||", "|", ";", "&"}
_PLAIN = (click.types.IntParamType, click.types.FloatParamType, click.Choice)


def check(line: str, added: Collection[str] = ()) -> None:
    """Check a line of bash.

    Args:
        line: without line breaks.
        added: names that its page adds to tables.

    Raises:
        click.UsageError, UsageError, ValueError: something in it does not exist.

    """
    for inner in re.findall(r"\$\((.+?)\)", line):
        check(inner)
    words = shlex.shlex(re.sub(r"\$\(.+?\)", "", line), posix=True, punctuation_chars="&|;")
    words.whitespace_split = True
    for command in _split(list(words)):
        _check_command(command, added)


def _split(words: Sequence[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in [*words, ";"]:
        if word not in _ENDS:
            command.append(word)
        elif command:
            yield command
            command = []


def _check_command(words: list[str], added: Collection[str]) -> None:
    while "=" in words[0] and words[0].partition("=")[0].isidentifier():
        words = words[1:]
    program, arguments = words[0], words[1:]
    if program in ("torchrun", "python", "python3.11") and "-m" in arguments:
        place = arguments.index("-m")
        program, arguments = arguments[place + 1], arguments[place + 2 :]
        if program not in ("wavemill", "venv"):
            parts = ROOT.joinpath(*program.split("."))
            _must(parts.is_dir() or parts.with_suffix(".py").exists(), f"no module {program}")
            return
    if program == "wavemill":
        _parse(main, arguments, added)
    elif program == "python":
        _must((ROOT / arguments[0]).is_file(), f"no file {arguments[0]}")
    elif program == "pip":
        _check_pip(arguments)
    else:
        _must(program in {*OTHERS, "venv"}, f"what is {program}?")


def _check_pip(arguments: Sequence[str]) -> None:
    known = set(re.findall(r'"(\w+)": [A-Z]+,', (ROOT / "setup.py").read_text("utf-8")))
    for argument in arguments:
        if found := re.fullmatch(r"(?:\.|wavemill)\[(.+)\]", argument):
            _must(set(found[1].split(",")) <= known, f"no extra {argument}")
    if "-c" in arguments:
        _must((ROOT / arguments[list(arguments).index("-c") + 1]).is_file(), "no constraints")


def _parse(
    command: click.Command,
    arguments: list[str],
    added: Collection[str],
    parent: click.Context | None = None,
) -> None:
    """Parse a command's arguments as it does, but look at no file."""
    if "--from-text" in arguments:  # another command of the same name
        command, arguments = from_text, [one for one in arguments if one != "--from-text"]
    context = click.Context(
        command, parent=parent, info_name=command.name, **command.context_settings
    )
    options, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if isinstance(command, click.Group):
        if rest:
            child = command.get_command(context, rest[0])
            _must(child, f"no command {rest[0]}")
            assert child is not None
            _parse(child, rest[1:], added, context)
        return
    given = {name: _texts(value) for name, value in options.items()}
    for parameter in command.params:
        values = given.get(str(parameter.name), [])
        for value in values:
            _check_value(command, parameter, value, added)
            if isinstance(kind := parameter.type, _PLAIN):
                cast("Any", kind).convert(value, parameter, context)
        is_needed = parameter.required and "--config" not in arguments
        _must(values or not is_needed, f"{parameter.name} is needed")
    words = [*rest, *(word for values in given.values() for word in values)]
    unknown = {word.partition("=")[0] for word in words if word.startswith("--")}
    _must(unknown <= _beam_options(), f"no options {unknown}")
    if set(given.get("recipe", ())) & RECIPES.keys():
        _check_settings(given)


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, str)]


def _check_settings(given: Mapping[str, Sequence[str]]) -> None:
    """Check `--set`, `--train` and `--preset` of a recipe."""
    (name,) = given["recipe"]
    presets = RECIPES[name][0].presets
    preset = (given.get("preset") or ["small"])[0]
    _must(preset in presets, f"no preset {preset}")
    settings = ",".join(given.get("settings", ()))
    configure(
        Spec.parse(f"{name}:{settings}" if settings else name),
        RECIPES,
        "recipe",
        asdict(presets[preset]),
    )
    known = {field.name for field in fields(TrainSettings)}
    for pair in given.get("training", ()):
        _must(pair.partition("=")[0] in known, f"no setting {pair}")


def _check_value(
    command: click.Command, parameter: click.Parameter, value: str, added: Collection[str]
) -> None:
    if value.partition(":")[0] in added:
        return
    if parameter.name in ("tokenizers", "tokenizer") and command.name in ("prepare", "add"):
        configure(Spec.parse(value), TOKENIZERS, "--tokenizer")
    elif parameter.name == "segment":
        parse_segmenter(value)
    elif parameter.name == "recognizer":
        configure(Spec.parse(value), RECOGNIZERS, "--recognizer")
    elif parameter.name == "recipe":
        _must(value in RECIPES, f"no recipe {value}")


def _beam_options() -> set[str]:
    known = {f"--{name}" for name in PipelineOptions([]).get_all_options()}
    return known | OF_JOB_SERVERS


def _must(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
