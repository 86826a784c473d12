"""Lint finds what is wrong, names it, and finds nothing where nothing is."""

import math
import shutil
from pathlib import Path

import pytest

from tests.conftest import wavemill
from tests.sharding.damage import (
    AUDIO,
    BEATS,
    CUTS,
    EFFECTS,
    MANIFEST,
    MVQ,
    Damage,
    add_a_stray,
    assert_named,
    checked,
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
from wavemill.sharding.lint import lint
from wavemill.sharding.tar import pack_index, unpack_index


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
    assert_named(checked(out, decode=True), words)


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
        (edited(CUTS, lambda cut: cut.update(id="\u00e9")), "split"),
        (edited(CUTS, lambda cut: cut.update(id="\udcff")), "split"),
        (edited(CUTS, lambda cut: cut.update(id="a" * 99)), "split"),
        (edited(CUTS, lambda cut: cut["supervisions"][0].update(text="\udcff")), "text is"),
        (spliced(MANIFEST, lambda data: data + b"{}\n"), "rows for"),
        (spliced(MANIFEST, lambda _: b"null\n"), "line 1 is no whole JSON object"),
    ],
)
def test_damage_that_was_restated_is_found(damage: Damage, words: str, out: Path) -> None:
    damage(out)
    assert_named(checked(out), words)


def test_audio_of_another_sample_is_found(out: Path) -> None:
    path = first(out, AUDIO)
    data = path.read_bytes()
    one, two = data.index(b"fLaC"), data.index(b"fLaC", data.index(b"fLaC") + 1)
    restated(out, path, data[:one] + data[two : two + 42] + data[one + 42 :])
    assert_named(checked(out), "the audio: num_samples is")


def test_a_field_of_the_cut_is_held_against_the_manifest(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(labelled, out)
    assert checked(out).problems == []
    edited(CUTS, lambda cut: cut["custom"].update(label="another"))(out)
    assert_named(checked(out), "in the cut 'another'")


def test_audio_that_was_damaged_before_its_digest_was_taken_is_found_by_decoding(out: Path) -> None:
    flip_in_the_audio(out)
    assert checked(out).problems == []
    assert_named(checked(out, decode=True), "does not decode")


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
    assert checked(out, decode=True).problems == []


def test_the_command_prints_a_line_a_problem_and_exits_1(out: Path) -> None:
    flip_in_the_audio(out)
    damaged = wavemill("lint", out, "--decode")
    assert damaged.code == 1
    assert "bucket-00/000000 " in damaged.out
    assert "does not decode" in damaged.out
    assert "Traceback" not in damaged.err
    assert wavemill("lint", out, "--decode", "--json").json["ok"] is False
    assert wavemill("lint", out).code == 0


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
