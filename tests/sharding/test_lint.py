"""Lint finds what is wrong, names it, and finds nothing where nothing is."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import read_jsonl
from wavemill.errors import DatasetError
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint import lint
from wavemill.sharding.tar import pack_index, unpack_index

Damage = Callable[[Path], None]


def first(out: Path, pattern: str) -> Path:
    return min(out.glob(pattern))


def cut_short(out: Path) -> None:
    tar = first(out, "bucket-*/audio_*.tar")
    tar.write_bytes(tar.read_bytes()[:-2000])


def flip_a_byte(out: Path) -> None:
    tar = first(out, "bucket-*/mvq_*.tar")
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(bytes(data))


def remove_a_tar(out: Path) -> None:
    first(out, "bucket-*/beats_*.tar").unlink()


def add_a_stray(out: Path) -> None:
    shutil.copy(first(out, "bucket-*/audio_*.tar"), first(out, "bucket-*") / "audio_000009.tar")


def restated(out: Path, path: Path, data: bytes) -> None:
    """Change a file and what dataset.json states of it, as a faulty writer would."""
    path.write_bytes(data)
    content = json.loads((out / "dataset.json").read_text())
    for shard in content["shards"]:
        for file in shard["files"]:
            if file["path"] == str(path.relative_to(out)):
                file.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (out / "dataset.json").write_text(json.dumps(content))


def shift_the_index(out: Path) -> None:
    path = first(out, "bucket-*/audio_*.tar.idx")
    offsets = unpack_index(path.read_bytes())
    restated(out, path, pack_index([offset + 512 for offset in offsets]))


def swap_cuts(out: Path) -> None:
    path = first(out, "bucket-*/cuts.*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    restated(out, path, b"".join([lines[1], lines[0], *lines[2:]]))


def rename_in_manifest(out: Path) -> None:
    path = first(out, "bucket-*/sharded_manifests/*.json")
    rows = read_jsonl(path)
    rows[0]["audio_filepath"] = "elsewhere.flac"
    restated(out, path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def ids_out_of_range(out: Path) -> None:
    path = first(out, "bucket-*/beats_*.tar")
    data = path.read_bytes()
    start = data.index(b"\x93NUMPY") + 128
    restated(out, path, data[:start] + b"\xff\xff" + data[start + 2 :])


def break_an_array(out: Path) -> None:
    path = first(out, "bucket-*/beats_*.tar")
    restated(out, path, path.read_bytes().replace(b"\x93NUMPY", b"\x93NUMPX", 1))


def break_audio(out: Path) -> None:
    path = first(out, "bucket-*/audio_*.tar")
    restated(out, path, path.read_bytes().replace(b"fLaC", b"fLaX", 1))


def dotted_key(out: Path) -> None:
    path = first(out, "bucket-*/cuts.*.jsonl")
    cuts = read_jsonl(path)
    cuts[0]["id"] = "a.b"
    restated(out, path, b"".join(json.dumps(cut).encode() + b"\n" for cut in cuts))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_short, "bytes"),
        (flip_a_byte, "sha256"),
        (remove_a_tar, "cannot be read"),
        (add_a_stray, "no shard"),
        (shift_the_index, "idx"),
        (swap_cuts, "sample 0"),
        (rename_in_manifest, "NeMo manifest"),
        (ids_out_of_range, "out of range"),
        (break_an_array, "no array"),
        (break_audio, "does not decode"),
        (dotted_key, "split"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damage_is_found_and_named(
    damage: Damage, words: str, prepared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(prepared, out, ignore=shutil.ignore_patterns("_work"))
    damage(out)
    report = lint(Dataset.open(str(out)))
    assert any(words in problem["problem"] for problem in report.problems), report.problems


def test_a_whole_dataset_has_no_problem(prepared: Path) -> None:
    report = lint(Dataset.open(str(prepared)))
    assert report.problems == []
    assert report.samples == 60


def test_a_folder_without_dataset_json_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a dataset"):
        Dataset.open(str(tmp_path))


@pytest.mark.parametrize("content", ["{}", "[]", "nonsense", '{"format": "wavemill"}'])
def test_another_json_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(DatasetError):
        Dataset.open(str(tmp_path))
