"""The webdataset pipeline gives what the loader gives."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import webdataset

from tests.loader.adapters.conftest import Loaded
from tests.loader.test_faults import overwrite
from wavemill.errors import DatasetError, UsageError
from wavemill.loader.adapters import web_dataset


def test_samples_are_those_of_the_loader(data: Path, loaded: Loaded) -> None:
    samples = loaded(data)
    seen = set()
    for found in web_dataset(data):
        sample = samples[found["__key__"]]
        assert found["txt"] == sample.text
        assert found["json"] == sample.cut
        assert found["__url__"].startswith(str(data))
        for name, ids in sample.tokens.items():
            assert found[f"{name}.npy"].dtype == ids.dtype
            assert np.array_equal(found[f"{name}.npy"], ids)
        for name, times in sample.times.items():
            assert np.array_equal(found[f"{name}_times.npy"], times)
        assert "audio.npy" not in found
        seen.add(sample.key)
    assert seen == samples.keys()


def test_audio_is_that_of_the_loader(clips: Path, loaded: Loaded) -> None:
    samples = loaded(clips, audio=True)
    found = {sample["__key__"]: sample for sample in web_dataset(clips, ["codec"], audio=True)}
    assert found.keys() == samples.keys()
    for key, sample in found.items():
        assert np.array_equal(sample["audio.npy"], samples[key].audio)
        assert sample["sample_rate"] == samples[key].sample_rate
        assert "syllables.npy" not in sample


def test_it_is_used_as_webdatasets_own_pipelines(clips: Path) -> None:
    stored = [sample["__key__"] for sample in web_dataset(clips)]
    made = web_dataset(clips, ["codec"], shardshuffle=10).shuffle(20)
    pairs = list(made.to_tuple("__key__", "codec.npy").map_tuple(str, len))
    assert sorted(key for key, _ in pairs) == sorted(stored)
    assert [key for key, _ in pairs] != stored
    batches = list(web_dataset(clips).to_tuple("__key__", "txt").batched(16))
    assert [len(keys) for keys, _ in batches] == [16, 16, 8]


def test_nodes_and_workers_share_shards(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = sorted(sample["__key__"] for sample in web_dataset(clips))
    loader = webdataset.WebLoader(web_dataset(clips, audio=True), batch_size=None, num_workers=2)
    assert sorted(sample["__key__"] for sample in loader) == stored
    monkeypatch.setenv("WORLD_SIZE", "2")
    seen = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        part = [sample["__key__"] for sample in pickle.loads(pickle.dumps(web_dataset(clips)))]
        assert 0 < len(part) < len(stored)
        seen += part
    assert sorted(seen) == stored
    alone = web_dataset(clips, nodesplitter=webdataset.single_node_only)
    with pytest.raises(ValueError, match="nodesplitter"):
        next(iter(alone))


def test_what_is_damaged_is_named(damaged: Path) -> None:
    overwrite("codec_000000.tar", 512, b"\x00" * 8)(damaged)
    with pytest.raises(DatasetError, match=r"codec_000000\.tar: the sample 'sample\d+' is damaged"):
        list(web_dataset(damaged))


def test_what_cannot_be_is_told(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="holds no audio"):
        web_dataset(tokens, audio=True)
    with pytest.raises(UsageError, match="no token stream 'mvq'"):
        web_dataset(tokens, ["mvq"])
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(UsageError, match=r"pip install 'wavemill\[readers\]'"):
        web_dataset(tokens)
