"""How what is chosen by `NAME[:k=v,...]` is listed: settings, weights, what is missing."""

from typing import Any


def described(build: Any, config: Any) -> dict[str, Any]:
    """Describe an entry of a table of (class, settings dataclass).

    Returns:
        `needs` (settings that must be given), `settings` with their defaults, `missing` packages,
        `install` (the pip line), and `weights` (where they come from).

    """
    from dataclasses import MISSING, fields

    from wavemill.packages import is_installed, pip_line

    stated = [field for field in fields(config) if field.name != "name"]
    stated.sort(key=lambda field: field.name not in config.__annotations__)  # inherited ones last
    return {
        "needs": [field.name for field in stated if field.default is MISSING],
        "settings": {f.name: None if f.default is MISSING else f.default for f in stated},
        "missing": [package for package in build.packages if not is_installed(package)],
        "install": pip_line(build.extra) if build.extra else "",
        "weights": build.weights,
    }


def settings_text(settings: dict[str, Any]) -> str:
    """Write settings on a line; what has no default is three dots."""
    return ", ".join(
        f"{key}={'...' if value is None else value}" for key, value in settings.items()
    )
