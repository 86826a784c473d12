"""`wavemill recipes`: what can be trained."""

from dataclasses import asdict
from typing import Any

import click

from wavemill.commands.output import as_json, emit, table


@click.command(short_help="List the recipes and their settings.")
@as_json
def recipes(*, json_: bool) -> None:
    r"""List what can be trained: each recipe, its presets and their settings.

    \b
    wavemill recipes
    wavemill recipes --json
    """
    from wavemill.models.table import RECIPES

    facts = {
        name: {
            "about": recipe.about,
            "presets": {preset: asdict(config) for preset, config in recipe.presets.items()},
        }
        for name, (recipe, _) in sorted(RECIPES.items())
    }
    rows = [
        (name, row["about"], preset, _text(settings))
        for name, row in facts.items()
        for preset, settings in row["presets"].items()
    ]
    emit(facts, table(("name", "what", "preset", "settings"), rows), json_=json_)


def _text(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items())
