"""What recipes may know of a dataset, and whether it has what they hear."""

from wavemill.errors import UsageError
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.sharding.dataset import Dataset
from wavemill.tokenizers.base import TokenizerFacts


def data_facts(dataset: Dataset) -> DataFacts:
    """Return what a recipe may know of a dataset."""
    names = TokenizerFacts.__dataclass_fields__
    streams = {
        stream: TokenizerFacts(**{name: facts[name] for name in names})
        for stream, facts in dataset.content["tokenizers"].items()
    }
    return DataFacts(streams=streams, has_audio=dataset.content["settings"]["audio"] != "none")


def check_data(name: str, recipe: Recipe, data: DataFacts, url: str) -> None:
    """Make sure that there is what a recipe hears or reads.

    Raises:
        UsageError: there is none.

    """
    if recipe.needs.hypotheses != data.has_hypotheses:
        wanted, there = "prepared datasets", "a folder of hypotheses"
        if recipe.needs.hypotheses:
            wanted, there = "folders that `wavemill hypotheses` writes", "a prepared dataset"
        raise UsageError(f"{name} learns from {wanted}, and {url} is {there}")
    if recipe.needs.sample_rate is not None and not data.has_audio:
        raise UsageError(
            f"{name} hears audio, and {url} holds none (--audio none); prepare it with audio"
        )
