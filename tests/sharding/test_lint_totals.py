"""Lint holds what `dataset.json` states against what the shards hold."""

import hashlib
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
        (described(lambda content: content["said"].update(texts=1)), "said.texts is 1, should be"),
        (
            described(lambda content: content["said"].update(languages={})),
            "languages.en is missing",
        ),
    ],
)
def test_an_edited_description_is_held_against_the_data(
    damage: Damage, words: str, out: Path
) -> None:
    damage(out)
    assert_named(checked(out), words)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["quality"]["snr_db"].update(p50=12.5),
        lambda content: content["quality"]["snr_db"]["would_drop"]["min_snr"].update(samples=99),
        lambda content: content["quality"].pop("snr_db"),
        lambda content: content["padding"].update(input=0.0),
        lambda content: content["totals"].update(recordings=10**6),
        lambda content: content["totals"].update(duplicates=1),
        lambda content: content["totals"].update(hours=content["totals"]["hours"] + 1e-6),
        lambda content: content["tokenizers"]["beats"].update(weights_digest="another"),
        lambda content: content["tokenizers"]["beats"].update(sample_rate=24_000),
        lambda content: content["tokenizers"]["beats"].update(kind="mvq"),
        lambda content: _add(content["tokenizers"]["beats"], "perplexity", 1e-3),
        lambda content: _add(content["tokenizers"]["mvq"]["perplexity_by_codebook"], 0, 1e-3),
        lambda content: content["inputs"].append("more"),
        lambda content: content.update(wavemill="9.9.9"),
        lambda content: content.update(notes="by hand"),
        lambda content: content.update(content_sha256="0" * 64),
        lambda content: content.pop("content_sha256"),
    ],
)
def test_what_no_sample_shows_is_held_against_the_content_s_digest(
    edit: Callable[[Row], object], out: Path
) -> None:
    content = read_content(out)
    edit(content)
    (out / "dataset.json").write_text(json.dumps(content))
    (problem,) = checked(out).problems
    assert problem["shard"] == "dataset.json"
    assert problem["problem"].startswith("content_sha256 is not that of all else it holds")


def _add(holder: Any, place: Any, more: float) -> None:
    holder[place] = round(holder[place] + more, 6)


def test_the_content_s_digest_stands_last_and_can_be_told_without_wavemill(out: Path) -> None:
    content = json.loads((out / "dataset.json").read_bytes())
    assert list(content)[-1] == "content_sha256"
    stated = content.pop("content_sha256")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == stated


def test_the_order_of_fields_and_blanks_do_not_matter(out: Path) -> None:
    content = read_content(out)
    (out / "dataset.json").write_text(json.dumps(content, sort_keys=True, indent=4))
    assert checked(out).problems == []


def test_edited_settings_are_not_those_of_the_digest(out: Path) -> None:
    content = read_content(out)
    write_content(out, content)
    content["settings"]["seed"] += 1
    (out / "dataset.json").write_text(json.dumps(content))
    assert_named(checked(out), "digest")
