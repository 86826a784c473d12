"""Lint holds what `dataset.json` states against what the shards hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sharding.damage import (
    Damage,
    Row,
    assert_named,
    checked,
    described,
    read_content,
    write_content,
)


def _shard(change: Callable[[Row], object]) -> Damage:
    return described(lambda content: change(content["shards"][0]))


def _file(**new: Any) -> Damage:
    return _shard(lambda shard: shard["files"][0].update(new))


def _bucket(**new: Any) -> Damage:
    return described(lambda content: content["buckets"][0].update(new))


def _totals(**new: Any) -> Damage:
    return described(lambda content: content["totals"].update(new))


def _stream(**new: Any) -> Damage:
    return described(lambda content: content["tokenizers"]["beats"].update(new))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_shard(lambda shard: shard.update(bucket="bucket-77")), "not among the buckets"),
        (_shard(lambda shard: shard.update(number=7)), "none of this shard's files"),
        (_shard(lambda shard: shard.update(samples=1)), "cuts, not 1"),
        (_shard(lambda shard: shard.update(seconds=1)), "s of audio, not 1"),
        (_shard(lambda shard: shard["files"].append(shard["files"][0])), "listed twice"),
        (_shard(lambda shard: shard["files"].pop()), "is not listed"),
        (_shard(lambda shard: shard["files"].clear()), "is not listed"),
        (_file(path="../../etc/passwd"), "none of this shard's files"),
        (_file(path="bucket-00/../bucket-00/audio_000000.tar"), "none of this shard's files"),
        (_file(path="/etc/passwd"), "none of this shard's files"),
        (_file(path="/dev/zero"), "none of this shard's files"),
        (_file(bytes=1), "should have 1"),
        (_file(sha256="x"), "sha256 differs"),
        (described(lambda content: content["shards"].pop()), "no shard"),
        (described(lambda content: content["shards"].append(content["shards"][0])), "this key"),
        (described(lambda content: content["buckets"].append(content["buckets"][0])), "2 times"),
        (described(lambda content: content["buckets"].pop()), "not among the buckets"),
        (_bucket(max_seconds=0.5), "over its bucket's 0.5 s"),
        (_bucket(max_seconds=1000), "max_seconds of bucket-00 is 1000"),
        (_bucket(max_tokens=5), "over its bucket's 5"),
        (_bucket(max_tokens=5000), "max_tokens of bucket-00 is 5000"),
        (_bucket(samples=1), "samples of bucket-00 is 1"),
        (_bucket(hours=1), "hours of bucket-00 is 1"),
        (_bucket(shards=2), "shards of bucket-00 is 2"),
        (_totals(samples=61), "totals.samples is 61"),
        (_totals(hours=1), "totals.hours is 1"),
        (_totals(bytes=1), "totals.bytes is 1"),
        (_totals(shards=1), "totals.shards is 1"),
        (_totals(rejected_recordings=1), "totals.rejected_recordings is 1"),
        (_totals(recordings=0, rejected_recordings=1), "more than totals.recordings"),
        (_totals(duplicates=100), "totals.duplicates"),
        (_stream(tokens=1), "tokens of beats is 1"),
        (_stream(used=1), "used of beats is 1"),
        (_stream(perplexity=1), "perplexity of beats is 1"),
        (_stream(perplexity_by_codebook=[]), "wrong length"),
        (_stream(dtype="uint8"), "dtype of the stream beats"),
        (_stream(name="other"), "name and dtype"),
        (_stream(codebook_size=256), "is not its facts'"),
        (_stream(num_codebooks=2), "is not its facts'"),
        (_stream(frame_rate=25), "frame_shift"),
        (_stream(frame_rate=None), "beats_times_000000.tar is not listed"),
        (described(lambda content: content["tokenizers"].pop("beats")), "this shard's files"),
        (described(lambda content: content["settings"].update(audio="none")), "shard's files"),
        (described(lambda content: content["rejected"].update({"no-speech": 3})), "no-speech is 3"),
    ],
)
def test_an_edited_description_is_held_against_the_data(
    damage: Damage, words: str, out: Path
) -> None:
    damage(out)
    assert_named(checked(out), words)


def test_edited_settings_are_not_those_of_the_digest(out: Path) -> None:
    content = read_content(out)
    write_content(out, content)
    content["settings"]["seed"] += 1
    (out / "dataset.json").write_text(json.dumps(content))
    assert_named(checked(out), "digest")
