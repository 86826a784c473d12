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
        UsageError: the file is missing, is no mapping, or holds a name that is no option.

    """
    if path is None:
        return None
    try:
        content = yaml.safe_load(Path(path).read_text("utf-8")) or {}
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise UsageError(f"--config {path} is no YAML: {words}") from error
    if not isinstance(content, dict):
        raise UsageError(f"--config {path}: expected `name: value` lines, named like the options")
    beam = content.pop(BEAM, None) or {}
    if not isinstance(beam, dict):
        raise UsageError(f"--config {path}: `{BEAM}:` takes `option: value` lines")
    context.meta[BEAM] = [
        argument for name, value in beam.items() for argument in _flag(name, value)
    ]
    known = {parameter.name: parameter for parameter in context.command.params if parameter.name}
    context.default_map = {
        name: _value(known[name], value) for name, value in _check(content, known, path).items()
    }
    return path


def _check(content: dict[Any, Any], known: dict[str, click.Parameter], path: str) -> dict[str, Any]:
    values = {}
    for key, value in content.items():
        name = str(key).replace("-", "_")
        if name not in known or name == "config":
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(f"--config {path}: no option is named {key!r}{hint}")
        values[name] = value
    return values


def _value(parameter: click.Parameter, value: Any) -> Any:
    """Let a single value stand for a list, where an option may be given more than once."""
    several = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    if several and not isinstance(value, list):
        value = [value]
    if isinstance(value, list) and not several:
        raise UsageError(f"--config: {parameter.name} takes one value, not a list")
    return value


def _flag(name: Any, value: Any) -> list[str]:
    flag = f"--{str(name).lstrip('-')}"
    if value is True:
        return [flag]
    if value is False or value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return [f"{flag}={item}" for item in values]
