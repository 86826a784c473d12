import gzip
import inspect
import json
import os
import sys
from pathlib import Path

import pytest

from tests.pipelines.ingest_files import ids, names, read, touch, write_lines, write_tar
from wavemill.errors import UsageError
from wavemill.pipelines.ingest import AUDIO_SUFFIXES, READERS, read_inputs
from wavemill.pipelines.ingest.inputs import PHASES
from wavemill.records import MISSING_FILE, UNREADABLE, path_id


def test_every_reader_has_its_turn() -> None:
    assert PHASES.keys() == READERS.keys()


def test_a_folder_gives_its_audio_files_in_the_order_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.FLAC", "b/1.mp3", "a.wav", "LICENSE.txt", ".hidden.wav", ".git/x.wav")
    assert ids(tmp_path) == [path_id(path) for path in ("a.wav", "b/1.mp3", "b/2.FLAC")]
    assert {"wav", "flac", "ogg", "opus", "mp3", "m4a"} <= AUDIO_SUFFIXES


def test_rows_come_as_they_are_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    rows = read_inputs([str(tmp_path)])
    assert inspect.isgenerator(rows)
    assert next(rows)
    rows.close()


def test_a_single_file_counts_from_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.wav")
    assert ids(tmp_path / "d/a.wav") == ids(tmp_path / "d") == [path_id("a.wav")]


def test_a_glob_counts_from_its_fixed_part(tmp_path: Path) -> None:
    touch(tmp_path, "x/d/a.wav", "x/e/a.wav", "x/e/.b.wav", "x/e/notes.txt")
    expected = ids(tmp_path / "x")
    for pattern in ("x/*/*.wav", "x/**/*.wav", "x/*", "x/*/*", "x/[de]"):
        assert ids(tmp_path / pattern) == expected, pattern


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].wav", "a1.wav")
    assert ids(tmp_path / "a[1].wav") == [path_id("a[1].wav")]


def test_a_folder_reads_its_manifest_and_adds_what_no_row_spoke_of(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav")
    rows = [
        {"audio_filepath": "a.wav", "text": "hi"},
        {"audio_filepath": "b.wav", "duration": -1},
        {"audio_filepath": "c.wav", "offset": 1},
    ]
    write_lines(tmp_path / "train_manifest.json", rows)
    recordings, rejects = read(tmp_path)
    assert names(recordings) == ["a.wav", "c.wav", "d.wav"]
    assert recordings[0].window.text == "hi"
    assert len(rejects) == 1


def test_a_folder_and_its_manifest_together_count_once_in_either_order(tmp_path: Path) -> None:
    touch(tmp_path, "audio/a.wav", "audio/b.wav")
    manifest = write_lines(tmp_path / "m.jsonl", [{"audio_filepath": "audio/a.wav", "text": "hi"}])
    folder, pattern = str(tmp_path), str(tmp_path / "audio/*")
    for order in ([manifest, folder], [folder, manifest], [pattern, manifest]):
        recordings, rejects = read(*order)
        assert not rejects
        assert names(recordings) == ["a.wav", "b.wav"]
        assert recordings[0].window.text == "hi"
    assert len(ids(manifest, manifest, tmp_path, tmp_path / "audio/b.wav")) == 2


def test_a_link_to_the_same_audio_counts_once(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.wav")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    manifest = write_lines(tmp_path / "m.jsonl", [{"audio_filepath": "link/a.wav"}])
    assert len(ids(tmp_path / "real", manifest)) == 1


def test_linked_folders_are_walked_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a.wav", "corpus/b.wav")
    (tmp_path / "corpus/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "corpus/again").symlink_to(tmp_path / "corpus")
    assert ids(tmp_path / "corpus") == [path_id("b.wav"), path_id("more/a.wav")]


def test_a_link_to_nowhere_is_rejected_not_lost(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "gone.wav")
    recordings, rejects = read(tmp_path)
    assert names(recordings) == ["a.wav"]
    assert [reject.reason for reject in rejects] == [MISSING_FILE]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    Path(os.fsdecode(os.fsencode(tmp_path / "x") + b"\xff.wav")).write_bytes(b"RIFF")
    recordings, rejects = read(tmp_path)
    assert names(recordings) == ["a.wav"]
    assert [reject.reason for reject in rejects] == [UNREADABLE]
    assert rejects[0].source.encode()


def test_a_hugging_face_audio_folder_is_read_at_any_level(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.wav", "test/a.wav", "test/sub/b.wav")
    write_lines(tmp_path / "train/metadata.csv", ["file_name,transcription", "a.wav,one"])
    rows = [{"file_name": "a.wav", "text": "two"}, {"file_name": "sub/b.wav", "text": "three"}]
    write_lines(tmp_path / "test/metadata.jsonl", rows)
    recordings, rejects = read(tmp_path)
    assert not rejects
    assert [found.window.text for found in recordings] == ["two", "three", "one"]
    assert len({found.id for found in recordings}) == 3


def test_a_table_of_another_kind_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    touch(tmp_path, "wavs/LJ001.wav")
    write_lines(tmp_path / "metadata.csv", ["LJ001|Printing|Printing"])
    write_lines(tmp_path / "manifest.json", ["{", '"name": "an app"', "}"])
    write_lines(tmp_path / "results.jsonl", [{"audio_filepath": "wavs/LJ001.wav"}])
    assert ids(tmp_path) == [path_id("wavs/LJ001.wav")]


def test_tars_in_a_folder_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "z.wav")
    write_tar(tmp_path / "shards/0.tar", {"k.wav": b"RIFF"})
    assert ids(tmp_path) == ["k", path_id("z.wav")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.wav", "does not exist"),
        ("none", "does not exist"),
        ("*.ogg", "matches nothing"),
        ("notes.txt", "no reader for the suffix 'txt'"),
        ("noise", "no reader for the suffix ''"),
        ("empty", "holds nothing that can be read"),
        ("*.txt", "holds nothing that can be read"),
    ],
)
def test_an_input_that_gives_nothing_is_wrong_usage(tmp_path: Path, name: str, words: str) -> None:
    touch(tmp_path, "notes.txt", "noise", "empty/LICENSE")
    with pytest.raises(UsageError, match=words):
        read_inputs([str(tmp_path / name)])


def test_no_input_is_wrong_usage() -> None:
    for inputs in ([], [""]):
        with pytest.raises(UsageError):
            read_inputs(inputs)


def test_a_prepared_dataset_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "dataset.json").write_text(json.dumps({"format": "wavemill-1"}))
    with pytest.raises(UsageError, match="is a prepared dataset already"):
        read(tmp_path)
    (tmp_path / "dataset.json").write_text("[]")
    assert len(ids(tmp_path)) == 1


def test_a_broken_gzip_manifest_in_a_folder_is_rejected_not_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "manifest.jsonl.gz").write_bytes(gzip.compress(b"x" * 999)[:20])
    recordings, rejects = read(tmp_path)
    assert len(recordings) == 1
    assert len(rejects) == 1
