"""From a dataset to batches that fit: for a recipe of tokens, and for one that hears audio."""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from wavemill.errors import UsageError
from wavemill.loader import Batch, ShardLoader
from wavemill.models.facts import data_facts
from wavemill.models.memory.predict import Predictor
from wavemill.models.memory.profile import Profile, ProfileConfig, make_profile
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent
from wavemill.models.table import RECIPES, make_recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.sharding.bins import bins_as_yaml
from wavemill.sharding.dataset import Dataset

TINY = ("layers=1", "width=64", "heads=2", "stream=mvq")
LIMIT_GB = 0.2


@dataclass(frozen=True, kw_only=True)
class LoudnessConfig:
    channels: int = 32


class Loudness(Recipe):
    """Hears audio, and learns how loud it is."""

    about: ClassVar = "loudness"
    presets: ClassVar[Mapping[str, Any]] = {"small": LoudnessConfig()}

    def __init__(self, config: LoudnessConfig, _: DataFacts) -> None:
        self.config, self.needs = config, Needs(sample_rate=16000)

    def build(self) -> nn.Module:
        channels = self.config.channels
        layers = nn.Conv1d(1, channels, 400, 160), nn.ReLU(), nn.Conv1d(channels, 1, 1)
        return nn.Sequential(*layers)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        assert batch.audio is not None
        heard: Tensor = model(batch.audio[:, None])
        error = heard.mean((1, 2)).float() - batch.audio.abs().mean(1)
        return Loss(total=error.square().sum(), count=torch.tensor(len(batch)))


@contextmanager
def stage(_name: str, _total: int | None) -> Any:
    yield lambda _: None


def profiled(prepared: Path, recipe: str, *settings: str) -> Profile:
    config = ProfileConfig(
        recipe=recipe, settings=settings, memory_gb=LIMIT_GB, memory_fraction=1, device="cpu",
        buckets=2,
    )  # fmt: skip
    return make_profile(str(prepared), config, stage)


def check_batches(loader: ShardLoader, recipe: Recipe, data: DataFacts) -> None:
    """Check that each batch trains, and takes no more than the limit when all of it is real."""
    predictor = Predictor(recipe, data, precision="bfloat16")
    stepper = Stepper(recipe, recipe.build(), TrainSettings(precision="bfloat16"))
    sizes: list[int] = []
    for batch in loader:
        assert torch.isfinite(stepper.step(len(sizes), [batch])[LOSS])
        audio = 0 if batch.audio is None else batch.audio.shape[1]
        tokens = {name: codes.shape[1] for name, codes in batch.tokens.items()}
        extent = Extent(seconds=audio / 16000, tokens=tokens)
        assert predictor.step_bytes(extent, len(batch)).peak <= LIMIT_GB * 1e9
        sizes.append(len(batch))
    assert sum(sizes) == 60
    assert max(sizes) > 4


def test_the_loader_s_batches_of_a_profile_of_tokens_fit(prepared: Path, tmp_path: Path) -> None:
    found = profiled(prepared, "token-lm", *TINY)
    (tmp_path / "sizes.yaml").write_text("\n".join(bins_as_yaml(found.options)))
    loader = ShardLoader(
        prepared, streams=["mvq"], count="mvq", profile=tmp_path / "sizes.yaml", buckets=2
    )
    data = data_facts(Dataset.open(str(prepared)))
    check_batches(loader, make_recipe("token-lm", "small", TINY, data), data)


def test_a_recipe_that_hears_audio_is_sized_by_duration(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "loudness", (Loudness, LoudnessConfig))
    found = profiled(prepared, "loudness", "channels=2048")
    assert all(isinstance(bound, float) for bound in found.options["bucket_duration_bins"])
    assert found.options["streams"] == []
    (tmp_path / "sizes.yaml").write_text("\n".join(bins_as_yaml(found.options)))
    loader = ShardLoader(
        prepared, streams=[], audio=True, sample_rate=16000, profile=tmp_path / "sizes.yaml"
    )
    data = data_facts(Dataset.open(str(prepared)))
    check_batches(loader, make_recipe("loudness", "small", ["channels=2048"], data), data)


def test_audio_that_is_not_stored_is_asked_for(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "loudness", (Loudness, LoudnessConfig))
    dataset = Dataset.open(str(prepared))
    settings = {**dataset.content["settings"], "audio": "none"}
    silent = Dataset(url=dataset.url, content={**dataset.content, "settings": settings})
    monkeypatch.setattr(Dataset, "open", lambda _: silent)
    with pytest.raises(UsageError, match=r"loudness hears audio, and .* holds none"):
        profiled(prepared, "loudness")
