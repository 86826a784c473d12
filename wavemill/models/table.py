"""Recipes by the name that `wavemill train` and `wavemill profile` take."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from wavemill.errors import UsageError
from wavemill.models.asr.recipe import Asr
from wavemill.models.asr.settings import AsrConfig
from wavemill.models.beats.distillation import BeatsTokenizerRecipe
from wavemill.models.beats.distilled import BeatsTokenizerConfig
from wavemill.models.beats.masked_prediction import BeatsConfig, BeatsRecipe
from wavemill.models.codec.config import CodecConfig
from wavemill.models.codec.recipe import Codec
from wavemill.models.corrector.recipe import CorrectorRecipe
from wavemill.models.corrector.settings import CorrectorConfig
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.spear.recipe import Spear
from wavemill.models.spear.settings import SpearConfig
from wavemill.models.sylber.config import SylberConfig
from wavemill.models.sylber.recipe import Sylber
from wavemill.models.token_lm.config import TokenLmConfig
from wavemill.models.token_lm.recipe import TokenLm
from wavemill.specs import Spec, configure

RECIPES: dict[str, tuple[type[Any], type[Any]]] = {
    "asr": (Asr, AsrConfig),
    "beats": (BeatsRecipe, BeatsConfig),
    "beats-tokenizer": (BeatsTokenizerRecipe, BeatsTokenizerConfig),
    "codec": (Codec, CodecConfig),
    "corrector": (CorrectorRecipe, CorrectorConfig),
    "spear": (Spear, SpearConfig),
    "sylber": (Sylber, SylberConfig),
    "token-lm": (TokenLm, TokenLmConfig),
}
"""Name -> (recipe, its settings). One row a recipe."""


def make_recipe(name: str, preset: str, settings: Sequence[str], data: DataFacts) -> Recipe:
    """Make the recipe of a name for a dataset.

    Args:
        name: in `RECIPES`.
        preset: a name of the recipe's `presets`.
        settings: `key=value` each, in place of the preset's.
        data: what is known of the dataset.

    Raises:
        UsageError: there is no such recipe, preset or setting, or the dataset lacks what it needs.

    """
    spec = Spec.parse(f"{name}:{','.join(settings)}" if settings else name)
    presets = RECIPES[name][0].presets if name in RECIPES else {}
    if presets and preset not in presets:
        raise UsageError(f"--preset {preset}: {name} has {', '.join(presets)}")
    base = asdict(presets[preset]) if presets else {}
    build, config = configure(spec, RECIPES, "recipe", base)
    recipe: Recipe = build(config, data)
    return recipe


def recipe_of(name: str, config: Mapping[str, Any], data: DataFacts) -> Recipe:
    """Make a recipe again of what was written down of it.

    Raises:
        KeyError: there is no such recipe in this version.
        TypeError, ValueError: its settings are others in this version.
        UsageError: the dataset lacks what it needs.

    """
    build, settings = RECIPES[name]
    recipe: Recipe = build(settings(**config), data)
    return recipe
