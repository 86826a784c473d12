"""Lint finds files that are missing, damaged or too many, wherever a dataset lies."""

import json
import shutil
from pathlib import Path

import fsspec
import pytest

from tests.conftest import wavemill
from tests.sharding.damage import AUDIO, EFFECTS, add_a_stray, assert_named, checked, first
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint import lint

REJECT = {"id": "a", "recording": "a", "stage": "segment", "reason": "no-speech", "detail": "",
          "source": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(REJECT) + "\n", "rejected.no-speech is 0, should be 1"),
        (2 * (json.dumps({**REJECT, "stage": "ingest"}) + "\n"), "recordings is 0, should be 2"),
        (2 * (json.dumps(REJECT) + "\n"), "recordings is 0, should be 1"),
        (json.dumps({**REJECT, "detail": None}) + "\n", "detail is None, not text in line 1"),
        ('{"id": "a"}\n', "recording is missing in line 1"),
        ("[]\n", "line 1 is no whole JSON object"),
        ("{", "line 1 is no JSON"),
        (None, "cannot be read"),
    ],
)
def test_rejects_are_checked_and_counted(text: str | None, words: str, out: Path) -> None:
    (out / "rejected.jsonl").unlink()
    if text is not None:
        (out / "rejected.jsonl").write_text(text)
    report = checked(out)
    assert {problem["shard"] for problem in report.problems} <= {"rejected.jsonl", "dataset.json"}
    assert_named(report, words)


@pytest.mark.parametrize(
    "path",
    [
        "bucket-00/notes.txt",
        "bucket-00/deeper/audio_000000.tar",
        "bucket-00/sharded_manifests/manifest_000009.json",
        "bucket-99/audio_000000.tar",
        "bucket-00/.audio_000000.tar.1a2b3c4d.part",
        "bucket-00/sharded_manifests/.manifest_000000.json.1a2b3c4d.part",
        ".dataset.json.1a2b3c4d.part",
    ],
)
def test_strays_are_named(path: str, out: Path) -> None:
    (out / path).parent.mkdir(exist_ok=True)
    (out / path).write_bytes(b"")
    (problem,) = checked(out).problems
    assert "remove it" in problem["problem"]
    assert problem["problem"].split()[0] in path


def test_files_that_no_reader_would_take_do_not_matter(out: Path) -> None:
    (out / "elsewhere" / "bucket-00").mkdir(parents=True)
    for path in ("elsewhere/bucket-00/audio_000000.tar", "audio_000000.tar", "bucket-00/.DS_Store"):
        (out / path).write_bytes(b"")
    assert checked(out).problems == []


def test_strays_are_found_below_folders_of_the_same_name(prepared: Path, tmp_path: Path) -> None:
    out = tmp_path / "bucket-00" / "out"
    shutil.copytree(prepared, out, ignore=shutil.ignore_patterns("_work"))
    assert checked(out).problems == []
    add_a_stray(out)
    (problem,) = checked(out).problems
    assert problem["problem"].startswith("bucket-00/audio_000009.tar ")


def test_the_remedy_that_a_damaged_file_names_mends_it(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(labelled, out)
    damaged = first(out, AUDIO)
    data = bytearray(damaged.read_bytes())
    data[2000] ^= 1
    damaged.write_bytes(bytes(data))
    problem, of_a_sample = checked(out).problems
    assert "remove it and give the same `wavemill prepare` again" in problem["problem"]
    assert of_a_sample["key"]
    damaged.unlink()
    assert wavemill("prepare", EFFECTS, "--out", out, "--buckets", 1).code == 0
    assert checked(out).problems == []


def test_a_dataset_on_an_object_store_is_checked_there(out: Path) -> None:
    url = "memory://store/dataset"
    system = fsspec.filesystem("memory")
    try:
        system.put(str(out), "/store/dataset", recursive=True)
        report = lint(Dataset.open(url))
        assert report.problems == []
        assert report.samples == 60
        assert Dataset.open(url).inspect()["samples"] == 60
        system.pipe("/store/dataset/bucket-00/audio_000009.tar", b"")
        system.pipe("/store/dataset/bucket-99/audio_000000.tar", b"")
        system.rm("/store/dataset/bucket-00/mvq_000000.tar")
        report = lint(Dataset.open(url))
        for words in ("bucket-00/audio_000009.tar", "bucket-99 belongs", "cannot be read"):
            assert_named(report, words)
    finally:
        system.rm("/store", recursive=True)


def test_a_problem_is_one_printable_line_whatever_it_speaks_of(out: Path) -> None:
    (out / "bucket-00" / "a\nb\udcff").write_bytes(b"")
    done = wavemill("lint", out, "--json")
    (problem,) = done.json["problems"]
    assert problem["problem"].startswith(r"bucket-00/a\nb\udcff belongs")
