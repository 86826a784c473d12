"""`--config job.yaml`: options from a file, with flags on top."""

import difflib
from pathlib import Path
from typing import Any

import click
import yaml

from wavemill.errors import UsageError

BEAM = "beam"
"""The key whose mapping holds Beam's own options."""


def load_config(context: click.Context, _: click.Parameter, path: str | None) -> str | None:
    """Take a job file's values as the command's defaults; a click callback.

    Raises:
        UsageError: the file is missing, is no mapping, holds a name that is no option, or a value
            of the wrong type.

    """
    if path is None:
        return None
    where = f"--config {path}"
    content = _read(path, where)
    context.meta[BEAM] = _beam_options(content.pop(BEAM, {}), where)
    known = {_name(option): option for option in context.command.params}
    del known["config"]
    context.default_map = {
        str(option.name): _value(option, value, f"{where}: {key}")
        for key, value in content.items()
        for option in [_find(key, known, where)]
    }
    return path


config_option = click.option(
    "--config",
    is_eager=True,
    expose_value=False,
    callback=load_config,
    metavar="JOB.YAML",
    help="A file of options; those on the command line win. Paths count from the current folder.",
)


class _Loader(yaml.SafeLoader):
    """Refuses a name that comes twice, of which YAML would drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    words = f"{key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
                names.add(key.value)
        return super().construct_mapping(node, deep)


def _read(path: str, where: str) -> dict[Any, Any]:
    try:
        with Path(path).open("rb") as file:
            content = yaml.load(file, _Loader)  # noqa: S506 - a kind of SafeLoader
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: cannot read it: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{where}: expected `name: value` lines, named like the options")
    return content


def _name(option: click.Parameter) -> str:
    """Give the name that an option goes by in a job file: `sub_buckets` for `--sub-buckets`."""
    return option.opts[0].lstrip("-").replace("-", "_")


def _find(key: Any, known: dict[str, click.Parameter], where: str) -> click.Parameter:
    name = str(key).replace("-", "_")
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"{where}: no option is named {key!r}{hint}")
    return known[name]


def _value(option: click.Parameter, value: Any, where: str) -> Any:
    """Check a value's type; a single one stands for a list where an option takes several."""
    if getattr(option, "is_flag", False):
        return _typed(value, bool, "true or false", where)
    if option.type is click.INT:
        return _typed(value, int, "a whole number", where)
    if option.type is click.FLOAT:
        return _typed(value, int | float, "a number", where)
    if option.nargs == -1 or getattr(option, "multiple", False):
        values = value if isinstance(value, list) else [value]
        return [_typed(item, str, "text, or a list of texts", where) for item in values]
    return _typed(value, str, "text", where)


def _typed(value: Any, kind: Any, what: str, where: str) -> Any:
    # True is an int to Python.
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    given = "nothing" if value is None else repr(value)
    hint = "; text that YAML takes for something else needs quotes" if kind is str else ""
    raise UsageError(f"{where}: expected {what}, got {given}{hint}")


def _beam_options(content: Any, where: str) -> list[str]:
    if not isinstance(content, dict):
        raise UsageError(f"{where}: `{BEAM}:` takes `option: value` lines")
    arguments = []
    for name, value in content.items():
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str | int | float):
                raise UsageError(f"{where}: {BEAM}: {name}: expected a value, got {item!r}")
        arguments += _flag(name, value)
    return arguments


def _flag(name: Any, value: Any) -> list[str]:
    flag = f"--{str(name).lstrip('-')}"
    if value is True:
        return [flag]
    if value is False:
        return []
    values = value if isinstance(value, list) else [value]
    return [f"{flag}={item}" for item in values]
