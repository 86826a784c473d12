"""`NAME[:k=v,...]`: how the command line and job files name a step and its settings."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wavemill.errors import UsageError

MAX_SEED = 2**63 - 1
"""The largest seed that all that draws by one takes."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A name and its settings as text, in the order of their names."""

    name: str
    settings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Read `NAME[:k=v,...]`.

        Raises:
            UsageError: a setting is not of the form k=v, or comes twice.

        """
        name, _, rest = text.partition(":")
        pairs = [part.partition("=") for part in rest.split(",")] if rest else []
        for key, equals, _ in pairs:
            if not (key.strip() and equals):
                raise UsageError(f"cannot read {text!r}: settings look like {name}:name=value,...")
        settings = {key.strip(): value.strip() for key, _, value in pairs}
        if len(settings) < len(pairs):
            raise UsageError(f"cannot read {text!r}: a setting is given twice")
        return cls(name=name.strip(), settings=tuple(sorted(settings.items())))

    def __str__(self) -> str:
        pairs = ",".join(f"{key}={value}" for key, value in self.settings)
        return f"{self.name}:{pairs}" if pairs else self.name


def configure(
    spec: Spec,
    table: Mapping[str, tuple[type[Any], type[Any]]],
    what: str,
    base: Mapping[str, Any] | None = None,
) -> tuple[type[Any], Any]:
    """Look a spec up in a table of (class, settings dataclass) and fill the settings.

    Args:
        spec: a name and settings.
        table: where the name is looked up.
        what: is configured, for messages.
        base: values of settings that the spec does not give, in place of their defaults.

    Returns:
        The class and an instance of its settings.

    Raises:
        UsageError: no such name or setting, or a value of the wrong type; the message lists what
            there is.

    """
    if spec.name not in table:
        raise UsageError(f"{what} {spec.name}: there is no such name{_near(spec.name, table)}")
    build, config_type = table[spec.name]
    fields = {field.name: field for field in dataclasses.fields(config_type)}
    types_ = typing.get_type_hints(config_type)
    values = dict(base or {})
    for key, text in spec.settings:
        if key not in fields:
            raise UsageError(f"{what} {spec.name}: no setting {key!r}{_near(key, fields)}")
        values[key] = _convert(text, types_[key], f"{what} {spec.name}:{key}")
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise UsageError(f"{what} {spec.name} needs {name}: {spec.name}:{name}=...")
    try:
        return build, config_type(**values)
    except ValueError as error:
        raise UsageError(f"{what} {spec}: {error}") from error


def check_range(option: str, value: float | None, lowest: float, highest: float) -> None:
    """Check a number; none is in range, NaN never is.

    Raises:
        UsageError: it is out of range; the message names the option, the value and the range.

    """
    if value is not None and not lowest <= value <= highest:
        raise UsageError(f"{option} {value}: give {lowest} to {highest}")


def _near(name: str, names: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint or ';'} there are: {', '.join(sorted(names)) or 'none'}"


def _convert(text: str, kind: Any, where: str) -> Any:
    """Turn text into a setting's type: str, int, float, bool, or one of these or None."""
    if isinstance(kind, types.UnionType):
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{where}={text}: give true or false")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"{where}={text}: this is no {kind.__name__}") from error
