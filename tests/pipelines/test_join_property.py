"""However a corpus is split, `prepare`, `add` and `merge` of the parts write the same bytes."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.pipelines.join_files import (
    assert_same,
    run_add,
    run_merge,
    run_prepare,
    utterances,
    write_manifest,
)

ROWS = 8
BROKEN = ('{"id": "cut", "audio_filepath": "pla', json.dumps({"id": "x", "audio_filepath": "no"}))

CHOICES = st.fixed_dictionaries(
    {
        "segment": st.sampled_from(["none", "fixed:1.2", "manifest"]),
        "tokenizers": st.sampled_from([("mvq",), ("beats", "mvq:name=other"), ()]),
        "num_buckets": st.integers(1, 3),
        "num_sub_buckets": st.integers(1, 2),
        "shard_mb": st.sampled_from([0.03, 0.1, 256.0]),
        "seed": st.integers(0, 2**63 - 1),
        "mono": st.booleans(),
        "sample_rate": st.sampled_from([None, 8000]),
        "dedup": st.booleans(),
        "filters": st.sampled_from([(), (("min_seconds", 1.0), ("max_chars_per_second", 20.0))]),
        "max_rejected": st.just(1.0),
    }
)


SIDES = st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)


# Shrinking would prepare dozens of datasets; the choices are short enough to read.
@settings(max_examples=2, derandomize=True, phases=[Phase.generate])
@given(choices=CHOICES, side=SIDES, data=st.data())
def test_a_split_corpus_comes_together_as_if_prepared_at_once(
    choices: dict[str, Any], side: list[bool], data: st.DataObject
) -> None:
    check_split(choices, side, data)


@pytest.mark.slow
@settings(max_examples=40, phases=[Phase.generate])
@given(choices=CHOICES, side=SIDES, data=st.data())
def test_so_does_any_of_many_splits(
    choices: dict[str, Any], side: list[bool], data: st.DataObject
) -> None:
    check_split(choices, side, data)


def check_split(choices: dict[str, Any], side: list[bool], data: st.DataObject) -> None:
    clean = data.draw(st.booleans(), "is the spool removed?")
    audio = data.draw(st.sampled_from(["flac", "none"] if choices["tokenizers"] else ["flac"]))
    rows = [*utterances(ROWS - 1), {**utterances(1)[0], "id": "copy"}]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts = [
            write_manifest(
                place / f"{number}.jsonl",
                [rows[0] | {"id": f"one-{number}"}, BROKEN[number],
                 *(row for row, own in zip(rows, side, strict=True) if own is bool(number))],
            )
            for number in (0, 1)
        ]  # fmt: skip
        # Shards without audio do not tell whether it is that of another.
        made = {**choices, "audio": audio, "dedup": choices["dedup"] and audio == "flac"}
        run_prepare(parts, place / "whole", **made)
        for number, part in enumerate(parts):
            run_prepare([part], place / f"out-{number}", clean=clean, **made)
        run_merge([place / "out-0", place / "out-1"], place / "merged")
        assert_same(place / "merged", place / "whole", copies=audio == "flac")
        run_add([parts[1]], place / "out-0", max_rejected=1)
        assert_same(place / "out-0", place / "whole", copies=audio == "flac" or not clean)


@pytest.mark.slow
@pytest.mark.parametrize("clean", [False, True])
def test_three_parts_in_turn_are_the_whole(tmp_path: Path, *, clean: bool) -> None:
    parts = [
        write_manifest(tmp_path / f"{start}.jsonl", utterances(3, start)) for start in (0, 3, 6)
    ]
    run_prepare(parts, tmp_path / "whole")
    run_prepare(parts[:1], tmp_path / "out", clean=clean)
    for part in parts[1:]:
        run_add([part], tmp_path / "out", clean=clean)
    assert_same(tmp_path / "out", tmp_path / "whole")
    # What was added and what was merged are datasets like any other.
    run_prepare(parts[2:], tmp_path / "last", clean=clean)
    run_prepare(parts[:1], tmp_path / "first", clean=clean)
    run_add([parts[1]], tmp_path / "first", clean=clean)
    run_merge([tmp_path / "first", tmp_path / "last"], tmp_path / "merged")
    assert_same(tmp_path / "merged", tmp_path / "whole")
    shutil.rmtree(tmp_path / "merged" / "_work")
    rest = write_manifest(tmp_path / "rest.jsonl", utterances(3, 15))
    run_add([rest], tmp_path / "merged")
    run_add([rest], tmp_path / "out")
    assert_same(tmp_path / "merged", tmp_path / "out")
