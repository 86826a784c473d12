"""A profile: the batch sizes of a dataset's buckets that fit in a GPU's memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from wavemill.errors import JobError, UsageError
from wavemill.models.facts import check_data, data_facts
from wavemill.models.memory.extents import Extents, find_extents
from wavemill.models.memory.search import Fit, find_sizes
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe
from wavemill.sharding.bins import describe_bins
from wavemill.sharding.buckets import MAX_BUCKETS, Bucket
from wavemill.sharding.dataset import Dataset
from wavemill.specs import check_range
from wavemill.tokenizers.device import PRECISIONS

DEVICES = ("auto", "cuda", "cpu")
MAX_GB = 1e6
MAX_RANKS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ProfileConfig:
    """What is trained, and where."""

    recipe: str
    preset: str = "small"
    settings: Sequence[str] = ()
    """`key=value` each, in place of the preset's."""
    memory_gb: float
    """Of the GPU, in units of 10^9 bytes."""
    memory_fraction: float = 0.9
    """How much of it tensors may take; the rest is CUDA's own, and lost between them."""
    precision: str = "bfloat16"
    world_size: int = 1
    device: str = "auto"
    """`cuda` runs the steps, `cpu` predicts them; `auto` runs them where there is a GPU."""
    buckets: int | None = None
    """Cuts by duration; as the dataset was cut if None."""
    sub_buckets: int | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--memory-gb", self.memory_gb, 0.001, MAX_GB)
        check_range("--memory-fraction", self.memory_fraction, 0.01, 1)
        check_range("--world-size", self.world_size, 1, MAX_RANKS)
        check_range("--buckets", self.buckets, 1, MAX_BUCKETS)
        check_range("--sub-buckets", self.sub_buckets, 1, MAX_BUCKETS)
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision}: give {' or '.join(PRECISIONS)}")
        if self.device not in DEVICES:
            raise UsageError(f"--device {self.device}: give {', '.join(DEVICES)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "--device cuda: torch finds no GPU here; give --device cpu, which predicts"
            )

    @property
    def limit(self) -> int:
        """Bytes that a step may take."""
        return int(self.memory_gb * 1e9 * self.memory_fraction)

    @property
    def runs(self) -> bool:
        """Whether steps are run, not predicted."""
        return self.device == "cuda" or (self.device == "auto" and torch.cuda.is_available())


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What was found."""

    buckets: list[Bucket]
    fits: list[Fit]
    options: dict[str, Any]
    """lhotse's and NeMo's, with what they were found for."""


class Shows(Protocol):
    """Shows how far a stage is; see `pipelines.progress.Reporter.stage`."""

    def __call__(self, name: str, total: int | None, /) -> Any:
        """Begin a stage; as a context it gives a function that takes how much is done."""
        ...


def make_profile(url: str, config: ProfileConfig, stage: Shows) -> Profile:
    """Find the batch sizes of a dataset.

    Raises:
        DatasetError: the folder is no dataset.
        UsageError: there is no such recipe or setting, or the dataset lacks what it needs.
        JobError: not one sample of some bucket fits.

    """
    dataset = Dataset.open(url)
    data = data_facts(dataset)
    recipe = make_recipe(config.recipe, config.preset, config.settings, data)
    check_data(config.recipe, recipe, data, url)
    with stage("read", dataset.content["totals"]["samples"]) as show:
        cut = find_extents(dataset, recipe.needs, config.buckets, config.sub_buckets, show)
    measure = _meter(recipe, data, config)
    buckets = cut.bounds.buckets
    with stage("profile", len(buckets)) as show:
        fits = find_sizes(
            buckets, lambda number, size: measure(cut.extents[number], size), config.limit, show
        )
        for number in reversed(range(len(buckets))):
            if not fits[number].size:
                raise _too_long(buckets[number], measure(cut.extents[number], 1), config)
    return Profile(buckets=buckets, fits=fits, options=_options(cut, fits, recipe, config))


def _meter(
    recipe: Recipe, data: DataFacts, config: ProfileConfig
) -> Callable[[Extent, int], int | None]:
    if config.runs:
        from wavemill.models.memory.cuda import CudaMeter

        return CudaMeter(
            recipe,
            data,
            precision=config.precision,
            world_size=config.world_size,
            limit=config.limit,
        ).measure
    from wavemill.models.memory.predict import Predictor

    predictor = Predictor(recipe, data, precision=config.precision, world_size=config.world_size)
    return lambda extent, size: predictor.step_bytes(extent, size).peak


def _too_long(bucket: Bucket, num_bytes: int | None, config: ProfileConfig) -> JobError:
    takes = "does not fit" if num_bytes is None else f"takes {num_bytes / 1e9:.3g} GB"
    return JobError(
        f"one sample of {bucket.max_seconds:.4g} s and {bucket.max_tokens} tokens ({bucket.name})"
        f" {takes}; a step may take {config.limit / 1e9:.3g} GB ({config.memory_fraction:g} of"
        " --memory-gb): give more memory, a smaller model (--preset, --set), or prepare the data"
        " with --max-seconds"
    )


def _options(
    cut: Extents, fits: Sequence[Fit], recipe: Recipe, config: ProfileConfig
) -> dict[str, Any]:
    pairs = len(cut.bounds.buckets) > len(cut.bounds.seconds)
    sizes = [fit.size for fit in fits]
    return {
        **describe_bins(cut.bounds, sizes, cut.seconds, cut.tokens, in_pairs=pairs),
        "recipe": config.recipe,
        "preset": config.preset,
        "settings": list(config.settings),
        "streams": list(recipe.needs.streams),
        "precision": config.precision,
        "world_size": config.world_size,
        "memory_gb": config.memory_gb,
        "memory_fraction": config.memory_fraction,
        "device": "cuda" if config.runs else "cpu",
        "step_bytes": [fit.num_bytes for fit in fits],
    }
