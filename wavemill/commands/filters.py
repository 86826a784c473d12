"""The options of the filters; `wavemill/pipelines/filters.py` says what they do."""

from collections.abc import Callable, Mapping
from typing import Any

import click

FILTERS = {
    "min_seconds": ("S", "Leave shorter segments out."),
    "max_seconds": ("S", "Leave longer segments out."),
    "max_clipping": ("F", "Leave segments out of which more than this share is clipped."),
    "max_silence": ("F", "Leave segments out of which more than this share is silence."),
    "min_snr": ("DB", "Leave segments out whose estimated signal-to-noise ratio is lower."),
    "min_chars_per_second": ("N", "Leave segments out whose text is shorter, for their length."),
    "max_chars_per_second": ("N", "Leave segments out whose text is longer, for their length."),
}

Command = Callable[..., Any]


def filter_options(command: Command) -> Command:
    """Give a command the options of the filters, all of which are off."""
    for name, (metavar, words) in reversed(FILTERS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, type=float, metavar=metavar, help=words)(command)
    return command


def given_filters(options: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Return the filters that are asked for, and their bounds."""
    return tuple((name, options[name]) for name in FILTERS if options[name] is not None)
