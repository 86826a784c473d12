import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from wavemill.errors import DatasetError
from wavemill.models.facts import data_facts
from wavemill.models.memory.extents import Extents, find_extents
from wavemill.models.recipe import Needs
from wavemill.sharding.dataset import Dataset


def extents_of(
    dataset: Dataset, *streams: str, buckets: int | None = None, subs: int | None = None
) -> Extents:
    return find_extents(dataset, Needs(streams=streams), buckets, subs, lambda _: None)


def test_the_buckets_of_the_longest_stream_are_the_dataset_s(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    cut = extents_of(dataset, "mvq")
    stated = dataset.content["buckets"]
    assert [(b.name, round(b.max_seconds, 6), b.max_tokens) for b in cut.bounds.buckets] == [
        (b["name"], b["max_seconds"], b["max_tokens"]) for b in stated
    ]
    assert len(cut.seconds) == dataset.content["totals"]["samples"]
    assert [extent.tokens["mvq"] for extent in cut.extents] == [b["max_tokens"] for b in stated]


def test_each_stream_is_as_long_as_its_longest_within_the_bounds(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    both, beats = extents_of(dataset, "beats", "mvq"), extents_of(dataset, "beats")
    assert both.tokens.tolist() == extents_of(dataset, "mvq").tokens.tolist()
    assert beats.tokens.max() < both.tokens.max()
    for bucket, extent in zip(both.bounds.buckets, both.extents, strict=True):
        within = (both.seconds <= bucket.max_seconds) & (both.tokens <= bucket.max_tokens)
        assert extent.tokens["beats"] == beats.tokens[within].max()


def test_it_is_cut_anew_if_asked_and_by_duration_alone_without_tokens(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    assert len(extents_of(dataset, "mvq", buckets=2, subs=1).bounds.buckets) == 2
    heard = extents_of(dataset, buckets=5, subs=3)
    assert len(heard.bounds.buckets) == 5
    assert not heard.tokens.any()
    assert [extent.tokens for extent in heard.extents] == [{}] * 5
    assert heard.extents[-1].seconds == heard.seconds.max()


def test_a_recipe_learns_the_dataset_s_facts(prepared: Path) -> None:
    facts = data_facts(Dataset.open(str(prepared)))
    assert facts.has_audio
    assert (facts.streams["mvq"].num_codebooks, facts.streams["mvq"].codebook_size) == (4, 256)
    assert facts.streams["mvq"].dtype == np.uint8


def test_lengths_that_are_missing_or_damaged_are_named(prepared: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(prepared, copy, ignore=shutil.ignore_patterns("_work", "*.tar"))
    lengths = copy / "bucket-00" / "lengths_000000.npy"
    lengths.write_bytes(lengths.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"lengths_000000.npy is damaged: .* `wavemill lint`"):
        extents_of(Dataset.open(str(copy)), "mvq")
    lengths.unlink()
    with pytest.raises(DatasetError, match=r"cannot read .*lengths_000000.npy: No such file"):
        extents_of(Dataset.open(str(copy)), "mvq")


def test_a_dataset_without_samples_is_refused(prepared: Path) -> None:
    content = json.loads((prepared / "dataset.json").read_text())
    with pytest.raises(DatasetError, match="nowhere holds no samples"):
        extents_of(Dataset(url="nowhere", content={**content, "shards": []}), "mvq")
