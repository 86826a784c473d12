"""`wavemill recipes`: what can be trained."""

from dataclasses import asdict
from typing import Any

import click

from wavemill.commands.narrow import folded
from wavemill.commands.output import as_json, emit, table


@click.command(short_help="List the recipes and their settings.")
@as_json
def recipes(*, json_: bool) -> None:
    r"""List what can be trained: recipes, presets, and their settings of model and training.

    \b
    wavemill recipes
    wavemill recipes --json
    """
    from wavemill.models.table import RECIPES

    facts = {
        name: {
            "about": recipe.about,
            "presets": {preset: asdict(config) for preset, config in recipe.presets.items()},
            "training": {preset: asdict(how) for preset, how in recipe.training.items()},
        }
        for name, (recipe, _) in sorted(RECIPES.items())
    }
    emit(facts, _lines(facts), json_=json_)


def _lines(facts: dict[str, Any]) -> list[str]:
    from wavemill.models.training.settings import TrainSettings

    usual = asdict(TrainSettings())
    lines = table(("name", "what"), [(name, row["about"]) for name, row in facts.items()])
    for name, row in facts.items():
        for preset, settings in row["presets"].items():
            training = row["training"][preset]
            own = {key: value for key, value in training.items() if value != usual[key]}
            lines += ["", f"{name} --preset {preset}"]
            lines += [*_folded("  --set    ", settings), *_folded("  --train  ", own)]
    return [*lines, "", *_folded("else  --train  ", usual)]


def _folded(begin: str, settings: dict[str, Any]) -> list[str]:
    return folded(begin + _text(settings), " " * len(begin))


def _text(settings: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in settings.items() if value is not None)
