"""Lint finds what is wrong, names it, and finds nothing where nothing is."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.conftest import SPEECH, wavemill
from tests.sharding.damage import (
    Damage,
    Row,
    described,
    edited,
    first,
    read_content,
    replaced,
    restated,
    spliced,
    write_content,
)
from wavemill.errors import DatasetError
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint import Report, lint
from wavemill.sharding.tar import pack_index, unpack_index

AUDIO, MVQ, BEATS = "bucket-*/audio_*.tar", "bucket-*/mvq_*.tar", "bucket-*/beats_*.tar"
CUTS, MANIFEST = "bucket-*/cuts.*.jsonl", "bucket-*/sharded_manifests/*.json"
EFFECTS = SPEECH / "effects" / "manifest.jsonl"


@pytest.fixture
def out(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared dataset, to be damaged."""
    copy = tmp_path / "out"
    shutil.copytree(prepared, copy, ignore=shutil.ignore_patterns("_work"))
    return copy


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound effects with a field of their own, prepared without tokens; not to be changed."""
    folder = tmp_path_factory.mktemp("labelled") / "effects"
    done = wavemill("prepare", EFFECTS, "--out", folder, "--buckets", 1)
    assert done.code == 0, done.err
    return folder


def checked(out: Path, *, quick: bool = False) -> Report:
    return lint(Dataset.open(str(out)), quick=quick)


def assert_named(report: Report, words: str) -> None:
    assert any(words in problem["problem"] for problem in report.problems), report.problems


def cut_short(out: Path) -> None:
    tar = first(out, AUDIO)
    tar.write_bytes(tar.read_bytes()[:-2000])


def flip_a_byte(out: Path) -> None:
    tar = first(out, MVQ)
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(bytes(data))


def remove_a_tar(out: Path) -> None:
    first(out, BEATS).unlink()


def put_a_folder_in_its_place(out: Path) -> None:
    remove_a_tar(out)
    (first(out, "bucket-*") / "beats_000000.tar").mkdir()


def add_a_stray(out: Path) -> None:
    shutil.copy(first(out, AUDIO), first(out, "bucket-*") / "audio_000009.tar")


def shift_the_index(out: Path) -> None:
    path = first(out, f"{AUDIO}.idx")
    offsets = unpack_index(path.read_bytes())
    restated(out, path, pack_index([offset + 512 for offset in offsets]))


def swap_cuts(out: Path) -> None:
    path = first(out, CUTS)
    lines = path.read_bytes().splitlines(keepends=True)
    restated(out, path, b"".join([lines[1], lines[0], *lines[2:]]))


def rename_in_manifest(out: Path) -> None:
    edited(MANIFEST, lambda row: row.update(audio_filepath="elsewhere.flac"))(out)


def ids_out_of_range(out: Path) -> None:
    path = first(out, BEATS)
    data = path.read_bytes()
    start = data.index(b"\x93NUMPY") + 128
    restated(out, path, data[:start] + b"\xff\xff" + data[start + 2 :])


def other_ids(out: Path) -> None:
    path = first(out, BEATS)
    data = path.read_bytes()
    start = data.index(b"\x93NUMPY") + 128
    restated(out, path, data[:start] + bytes(20) + data[start + 20 :])


def break_an_array(out: Path) -> None:
    replaced(BEATS, b"\x93NUMPY", b"\x93NUMPX")(out)


def break_audio(out: Path) -> None:
    replaced(AUDIO, b"fLaC", b"fLaX")(out)


def flip_in_the_audio(out: Path) -> None:
    path = first(out, AUDIO)
    data = bytearray(path.read_bytes())
    data[data.index(b"fLaC") + 5000] ^= 16
    restated(out, path, bytes(data))


def dotted_key(out: Path) -> None:
    edited(CUTS, lambda cut: cut.update(id="a.b"))(out)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_short, "bytes"),
        (flip_a_byte, "sha256"),
        (remove_a_tar, "cannot be read"),
        (put_a_folder_in_its_place, "no file"),
        (add_a_stray, "no shard"),
        (shift_the_index, "idx"),
        (swap_cuts, "sample 0"),
        (rename_in_manifest, "NeMo manifest"),
        (ids_out_of_range, "out of range"),
        (other_ids, "perplexity of beats"),
        (break_an_array, "no array"),
        (break_audio, "does not decode"),
        (flip_in_the_audio, "does not decode"),
        (dotted_key, "split"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damage_is_found_and_named(damage: Damage, words: str, out: Path) -> None:
    damage(out)
    assert_named(checked(out), words)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (replaced(AUDIO, b"ustar", b"uster"), "the header at byte 0"),
        (replaced(AUDIO, b"0000644", b"0000755"), "the header at byte 0"),
        (spliced(AUDIO, lambda data: data[:-1024]), "header"),
        (spliced(AUDIO, lambda data: data + bytes(512)), "end mark"),
        (spliced(AUDIO, lambda data: data[:700]), "beyond the end"),
        (spliced(AUDIO, lambda _: b""), "the header at byte 0"),
        (spliced(MVQ, lambda data: data[:-1025] + b"x" + data[-1024:]), "zeros"),
        (replaced(MVQ, b'{"array"', b'["array"'), "no JSON"),
        (replaced(MVQ, b'"frame_shift":0.01', b'"frame_shift":0.02'), "frame_shift is 0.02"),
        (replaced(MVQ, b',4],"storage', b',5],"storage'), "array.shape"),
        (replaced(MVQ, b"|u1", b"|i1"), "no array"),
        (replaced(MVQ, b"|u1", b"|O8"), "no array"),
        (replaced(MVQ, b"False", b"True "), "no array"),
        (replaced(BEATS, b"<u2", b"<u1"), "is not its facts'"),
        (replaced(AUDIO, b'"num_samples":2', b'"num_samples":3'), "beside the audio"),
        (spliced(f"{AUDIO}.idx", lambda data: data[:-3]), "does not point"),
        (spliced(f"{AUDIO}.idx", lambda _: b""), "does not point"),
        (spliced(CUTS, lambda data: b"[]\n" + data), "line 1 is no whole JSON object"),
        (spliced(CUTS, lambda data: b"\xff\n" + data), "line 1 is no JSON"),
        (spliced(CUTS, lambda data: b"[" * 100_000 + b"\n" + data), "line 1 is no JSON"),
        (spliced(CUTS, lambda data: data[:-40]), "is no JSON"),
        (spliced(CUTS, lambda _: b""), "holds 0 cuts"),
        (spliced(CUTS, lambda data: data + data), "has this key"),
        (edited(CUTS, lambda cut: cut.pop("duration")), "duration is missing"),
        (edited(CUTS, lambda cut: cut.update(duration=math.nan)), "duration is nan"),
        (edited(CUTS, lambda cut: cut.update(extra=1)), "extra should not be there"),
        (edited(CUTS, lambda cut: cut.pop("id")), "id is missing"),
        (edited(CUTS, lambda cut: cut.update(id=["x"])), "id is ['x'], not text"),
        (edited(CUTS, lambda cut: cut.update(recording=None)), "recording is None"),
        (edited(CUTS, lambda cut: cut["recording"].update(num_samples=-1)), "num_samples is -1"),
        (edited(CUTS, lambda cut: cut["recording"].update(num_samples=1)), "num_samples"),
        (edited(CUTS, lambda cut: cut["recording"].update(sampling_rate=8000)), "sampling_rate"),
        (edited(CUTS, lambda cut: cut["recording"]["channel_ids"].append(1)), "num_channels is 1"),
        (edited(CUTS, lambda cut: cut["supervisions"][0].update(duration=1)), "supervisions"),
        (edited(CUTS, lambda cut: cut["supervisions"][0].update(id="x")), "supervisions"),
        (edited(CUTS, lambda cut: cut["supervisions"][0].update(text="x")), "text is"),
        (edited(CUTS, lambda cut: cut["supervisions"][0].update(text=1)), "text is 1"),
        (edited(CUTS, lambda cut: cut["supervisions"].append({})), "supervisions"),
        (edited(CUTS, lambda cut: cut["custom"].update(mvq=1)), "custom.mvq"),
        (edited(CUTS, lambda cut: cut["custom"].update(label=1)), "label is missing"),
        (edited(MANIFEST, lambda row: row.update(duration=1.5)), "duration is 1.5"),
        (edited(MANIFEST, lambda row: row.update(shard_id=1)), "shard_id is 1"),
        (edited(MANIFEST, lambda row: row.pop("text")), "text is missing"),
        (edited(MANIFEST, lambda row: row.update(label=1)), "label is not in the cut"),
        (spliced(MANIFEST, lambda data: data + b"{}\n"), "rows for"),
        (spliced(MANIFEST, lambda _: b"null\n"), "line 1 is no whole JSON object"),
    ],
)
def test_damage_that_was_restated_is_found(damage: Damage, words: str, out: Path) -> None:
    damage(out)
    assert_named(checked(out, quick=True), words)


def test_audio_of_another_sample_is_found(out: Path) -> None:
    path = first(out, AUDIO)
    data = path.read_bytes()
    one, two = data.index(b"fLaC"), data.index(b"fLaC", data.index(b"fLaC") + 1)
    restated(out, path, data[:one] + data[two : two + 42] + data[one + 42 :])
    assert checked(out).problems


def test_a_field_of_the_cut_is_held_against_the_manifest(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(labelled, out)
    assert checked(out).problems == []
    edited(CUTS, lambda cut: cut["custom"].update(label="another"))(out)
    assert_named(checked(out), "in the cut 'another'")


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
        (_stream(frame_rate=None), "frame_shift"),
        (described(lambda content: content["tokenizers"].pop("beats")), "this shard's files"),
        (described(lambda content: content["settings"].update(audio="none")), "shard's files"),
        (described(lambda content: content["rejected"].update({"no-speech": 3})), "no-speech is 3"),
    ],
)
def test_an_edited_description_is_held_against_the_data(
    damage: Damage, words: str, out: Path
) -> None:
    damage(out)
    assert_named(checked(out, quick=True), words)


def test_edited_settings_are_not_those_of_the_digest(out: Path) -> None:
    content = read_content(out)
    write_content(out, content)
    content["settings"]["seed"] += 1
    (out / "dataset.json").write_text(json.dumps(content))
    assert_named(checked(out), "digest")


REJECT = {"id": "a", "recording": "a", "stage": "segment", "reason": "no-speech", "detail": "",
          "source": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(REJECT) + "\n", "rejected.no-speech is 0, should be 1"),
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
    (problem,) = checked(out).problems
    assert "remove it and give the same `wavemill prepare` again" in problem["problem"]
    damaged.unlink()
    assert wavemill("prepare", EFFECTS, "--out", out, "--buckets", 1).code == 0
    assert checked(out).problems == []


def test_quick_decodes_no_audio_and_checks_the_rest(out: Path) -> None:
    flip_in_the_audio(out)
    assert checked(out, quick=True).problems == []
    ids_out_of_range(out)
    assert_named(checked(out, quick=True), "out of range")


def test_progress_is_counted_in_shards(prepared: Path) -> None:
    seen: list[int] = []
    report = lint(Dataset.open(str(prepared)), show=seen.append)
    assert seen == list(range(1, report.shards + 1))


def test_a_whole_dataset_has_no_problem(prepared: Path) -> None:
    report = checked(prepared)
    assert report.problems == []
    assert report.samples == 60


@pytest.mark.parametrize(
    "options",
    [
        ["--audio", "opus"],
        ["--audio", "none", "--tokenizer", "mvq"],
        ["--segment", "fixed:0.7", "--sample-rate", "22050", "--mono"],
    ],
)
def test_every_form_of_dataset_is_whole(options: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = wavemill("prepare", EFFECTS, "--out", out, "--buckets", 2, *options)
    assert done.code == 0, done.err
    assert checked(out).problems == []
    assert checked(out, quick=True).problems == []


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


def test_the_command_prints_a_line_a_problem_and_exits_1(out: Path) -> None:
    flip_in_the_audio(out)
    damaged = wavemill("lint", out)
    assert damaged.code == 1
    assert "bucket-00/000000 " in damaged.out
    assert "does not decode" in damaged.out
    assert "Traceback" not in damaged.err
    assert wavemill("lint", out, "--json").json["ok"] is False
    assert wavemill("lint", out, "--quick").code == 0


def test_a_problem_is_one_printable_line_whatever_it_speaks_of(out: Path) -> None:
    (out / "bucket-00" / "a\nb\udcff").write_bytes(b"")
    done = wavemill("lint", out, "--json")
    (problem,) = done.json["problems"]
    assert problem["problem"].startswith(r"bucket-00/a\nb\udcff belongs")


def test_a_dataset_that_cannot_be_understood_is_one_line(out: Path) -> None:
    content = read_content(out)
    content["totals"]["samples"] = -1
    write_content(out, content)
    for command in ("lint", "inspect"):
        done = wavemill(command, out)
        assert done.code == 1
        (line,) = done.err.splitlines()
        assert "totals.samples is -1, not a whole number of 0 or more" in line
        assert "`wavemill prepare`" in line
    with pytest.raises(DatasetError, match=r"totals\.samples"):
        checked(out)
