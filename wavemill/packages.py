"""Packages that not every installation has: imported where they are needed, or the pip line."""

import importlib
import importlib.util
from typing import Any

from wavemill.errors import UsageError


def require(module: str, extra: str, what: str) -> Any:
    """Import an optional package.

    Args:
        module: its name in Python.
        extra: the extra of wavemill that brings it.
        what: who needs it, for the error.

    Raises:
        UsageError: it is not installed; the message has the pip line.

    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"{what} needs {module} ({error}): {pip_line(extra)}") from error


def is_installed(module: str) -> bool:
    """Say whether a package could be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def pip_line(extra: str) -> str:
    """Return the command that installs what an extra of wavemill brings."""
    return f"pip install 'wavemill[{extra}]'"
