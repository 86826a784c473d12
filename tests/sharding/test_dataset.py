"""A `dataset.json` is understood or refused, in one line that says what is wrong with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sharding.damage import read_content
from wavemill.errors import DatasetError
from wavemill.sharding.dataset import Dataset

Change = Callable[[dict[str, Any]], object]


def test_a_folder_without_dataset_json_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a dataset"):
        Dataset.open(str(tmp_path))


@pytest.mark.parametrize(
    "text", ["{}", "[]", "nonsense", '{"format": "wavemill"}', "", "[" * 100_000, "\x00"]
)
def test_another_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError):
        Dataset.open(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("totals"), "totals is missing"),
        (lambda content: content.update(totals=[]), "totals is [], not an object"),
        (lambda content: content.update(shards={}), "shards is {}, not a list"),
        (lambda content: content["totals"].update(hours="1"), "totals.hours is '1', not a number"),
        (lambda content: content["totals"].update(hours=float("nan")), "totals.hours is nan"),
        (lambda content: content["totals"].update(hours=float("inf")), "totals.hours is inf"),
        (lambda content: content["totals"].update(samples=True), "totals.samples is True"),
        (lambda content: content["totals"].update(samples=1.0), "totals.samples is 1.0"),
        (lambda content: content["totals"].update(samples=10**400), "totals.samples is 1000"),
        (lambda content: content["shards"][1].pop("files"), "shards[1].files is missing"),
        (lambda content: content["shards"][1].update(bucket="../x"), "like bucket-00"),
        (lambda content: content["buckets"][0].update(name="/etc"), "like bucket-00"),
        (lambda content: content["settings"].update(audio="mp3"), "flac, opus or none"),
        (lambda content: content["tokenizers"].update({"../x": {}}), "not an identifier"),
        (lambda content: content["tokenizers"]["mvq"].update(frame_rate=0), "above 0, or null"),
        (lambda content: content["tokenizers"]["mvq"].update(codebook_size=2**40), "1 to 65536"),
        (lambda content: content["padding"].update(input=1.5), "a share"),
        (lambda content: content["quality"]["snr_db"].pop("p50"), "quality.snr_db.p50 is missing"),
        (lambda content: content["rejected"].update({"a b": 1}), "not a reason"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(
    change: Change, words: str, prepared: Path, tmp_path: Path
) -> None:
    content = read_content(prepared)
    change(content)
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError) as caught:
        Dataset.open(str(tmp_path))
    message = str(caught.value)
    assert words in message
    assert "`wavemill prepare`" in message
    assert len(message) < 400
    assert message.isprintable()


def test_more_than_we_know_of_is_left_alone(prepared: Path, tmp_path: Path) -> None:
    content = {**read_content(prepared), "notes": ["mine"]}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    assert Dataset.open(str(tmp_path)).content["notes"] == ["mine"]


def test_a_dataset_need_not_say_what_was_measured(prepared: Path, tmp_path: Path) -> None:
    content = read_content(prepared)
    del content["quality"]
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    assert Dataset.open(str(tmp_path)).inspect()["quality"] == {}


def test_an_input_may_have_a_name_that_is_no_text(prepared: Path, tmp_path: Path) -> None:
    text = json.dumps({**read_content(prepared), "inputs": ["a\udcffb"]}, ensure_ascii=False)
    (tmp_path / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert Dataset.open(str(tmp_path)).inspect()["samples"] == 60
