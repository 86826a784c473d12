"""A sample is found by its key, and its tokens are those that the tokenizer gave."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import read_jsonl
from wavemill.errors import DatasetError
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lookup import find_sample, read_codes
from wavemill.tokenizers import load


def test_every_sample_is_found_where_it_lies(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    count = 0
    for path in sorted(prepared.glob("bucket-*/cuts.*.jsonl")):
        for position, cut in enumerate(read_jsonl(path)):
            found = find_sample(dataset, cut["id"])
            assert (found.folder, found.position) == (str(path.parent), position)
            assert found.cut == cut
            count += 1
    assert count == dataset.content["totals"]["samples"]


def test_the_tokens_of_a_sample_are_read_back(prepared: Path) -> None:
    cuts = [cut for path in prepared.glob("bucket-*/cuts.*") for cut in read_jsonl(path)]
    key = next(cut["id"] for cut in cuts if cut["id"].startswith("hello-world"))
    found = find_sample(Dataset.open(str(prepared)), key)
    source = Path(__file__).parents[2] / "examples/speech/audio/hello-world.flac"
    audio, _ = soundfile.read(source, dtype="float32")
    for name in ("beats", "mvq"):
        assert np.array_equal(read_codes(found, name), load(name).encode([audio])[0])


def test_the_beginning_of_a_key_is_enough_where_it_is_of_one_sample(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    assert find_sample(dataset, "hello-world").cut["id"].startswith("hello-world-")
    cuts = [cut for path in prepared.glob("bucket-*/cuts.*") for cut in read_jsonl(path)]
    words = [cut["id"].split("-")[0] for cut in cuts]
    shared = next(word for word in words if words.count(word) > 1)
    with pytest.raises(DatasetError, match=f"several samples '{shared}'.*give one whole"):
        find_sample(dataset, shared)


def test_a_key_that_is_not_there_is_an_error_that_shows_one_that_is(prepared: Path) -> None:
    with pytest.raises(DatasetError, match="keys look like"):
        find_sample(Dataset.open(str(prepared)), "hello-worl")
