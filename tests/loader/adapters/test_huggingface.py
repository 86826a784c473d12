"""The Hugging Face dataset gives what the loader gives."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from tests.loader.adapters.conftest import Loaded
from tests.loader.test_faults import overwrite
from wavemill.errors import DatasetError, UsageError
from wavemill.loader.adapters import iterable_dataset


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the library writes in a folder of the test's."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", tmp_path / "modules")


def keys(examples: Any) -> list[str]:
    return [example["key"] for example in examples]


def test_examples_are_the_samples_of_the_loader(data: Path, loaded: Loaded) -> None:
    samples = loaded(data)
    found = iterable_dataset(data)
    assert set(found.features) == set(next(iter(found)))
    seen = set()
    for example in found:
        sample = samples[example["key"]]
        assert example["text"] == sample.text
        for name, ids in sample.tokens.items():
            assert found.features[name].dtype == example[name].dtype == ids.dtype
            assert np.array_equal(example[name], ids)
        for name, times in sample.times.items():
            assert np.array_equal(example[f"{name}_times"], times)
        seen.add(sample.key)
    assert seen == samples.keys()
    for example in found.with_format("torch").take(3):
        ids = example["codec"]
        assert isinstance(ids, torch.Tensor)
        assert np.array_equal(ids.numpy(), samples[example["key"]].tokens["codec"])


def test_audio_is_the_stored_file(clips: Path, loaded: Loaded) -> None:
    samples = loaded(clips, streams=[], audio=True)
    examples = list(iterable_dataset(clips, [], audio=True))
    assert sorted(keys(examples)) == sorted(samples)
    for example in examples:
        audio, rate = soundfile.read(io.BytesIO(example["audio"]["bytes"]), dtype="float32")
        assert example["audio"]["path"] == f"{example['key']}.flac"
        assert rate == samples[example["key"]].sample_rate
        assert np.array_equal(audio, samples[example["key"]].audio)
        assert example.keys() == {"key", "text", "audio"}


def test_nodes_and_workers_share_shards(clips: Path) -> None:
    from datasets.distributed import split_dataset_by_node

    found = iterable_dataset(clips)
    stored = keys(found)
    assert found.num_shards == len(list(clips.glob("bucket-*/cuts.*.jsonl")))
    parts = [keys(split_dataset_by_node(found, rank, 2)) for rank in range(2)]
    assert all(parts)
    assert sorted(parts[0] + parts[1]) == sorted(stored)
    loader = DataLoader(found.with_format("torch"), batch_size=None, num_workers=2)
    assert sorted(keys(loader)) == sorted(stored)
    shuffled = keys(found.shuffle(seed=1, buffer_size=10))
    assert sorted(shuffled) == sorted(stored)
    assert shuffled != stored


def test_it_goes_on_from_its_state(clips: Path) -> None:
    found = iterable_dataset(clips)
    stored = keys(found)
    given: Iterator[Any] = iter(found)
    for taken in range(1, len(stored), 5):
        begun = iterable_dataset(clips)
        given = iter(begun)
        first = [next(given)["key"] for _ in range(taken)]
        fresh = iterable_dataset(clips)
        fresh.load_state_dict(json.loads(json.dumps(begun.state_dict())))
        assert first + keys(fresh) == stored


def test_what_is_damaged_is_named(damaged: Path) -> None:
    overwrite("codec_000000.tar", 512, b"\x00" * 8)(damaged)
    with pytest.raises(DatasetError, match=r"codec_000000\.tar: the sample 'sample\d+' is damaged"):
        list(iterable_dataset(damaged))


def test_what_cannot_be_is_told(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="holds no audio"):
        iterable_dataset(tokens, audio=True)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"pip install 'wavemill\[huggingface\]'"):
        iterable_dataset(tokens)
