import gzip
import json
import math
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.spec import AbstractBufferedFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.ingest_files import ids, read, touch, write_lines
from wavemill import storage
from wavemill.errors import JobError, UsageError
from wavemill.pipelines.ingest import lines, read_inputs
from wavemill.pipelines.segmenters.base import whole_of
from wavemill.records import (
    DUPLICATE_ID,
    INVALID_JSON,
    INVALID_ROW,
    MISSING_FILE,
    TRUNCATED,
    UNREADABLE,
    Recording,
    Span,
    path_id,
    recording_from_row,
    recording_row,
    safe_key,
)


def one(folder: Path, **row: Any) -> Recording:
    touch(folder, "a.wav")
    recordings, rejects = read(write_lines(folder / "m.jsonl", [{"audio_filepath": "a.wav"} | row]))
    assert not rejects
    return recordings[0]


def test_a_row_becomes_a_recording_with_its_fields(tmp_path: Path) -> None:
    found = one(tmp_path, duration=1.5, text="hi", lang="en", speaker="s", snr=3, tags=["x"])
    assert found.id == path_id("a.wav")
    assert found.url == str(tmp_path / "a.wav")
    assert found.version.startswith("4:")
    assert not found.explicit_window
    assert found.window == Span(
        start_seconds=0.0,
        duration_seconds=1.5,
        text="hi",
        language="en",
        speaker="s",
        custom={"snr": 3, "tags": ["x"]},
    )


def test_an_offset_makes_the_window_a_cut(tmp_path: Path) -> None:
    found = one(tmp_path, offset=2, duration=1.5)
    assert found.explicit_window
    assert (found.window.start_seconds, found.window.duration_seconds) == (2.0, 1.5)
    assert not one(tmp_path, offset=None).explicit_window


def test_rows_of_one_file_with_other_offsets_have_other_ids(tmp_path: Path) -> None:
    touch(tmp_path, "audio/a.wav")
    rows = [{"audio_filepath": "audio/a.wav", "offset": at, "duration": 1} for at in (0, 1, 2)]
    found = ids(write_lines(tmp_path / "m.jsonl", rows))
    assert len(set(found)) == 3
    assert all(name.startswith("a-") for name in found)


def test_the_given_id_is_kept_and_rewritten_only_where_keys_need_it(tmp_path: Path) -> None:
    assert one(tmp_path, id="utt-1").id == "utt-1"
    assert one(tmp_path, id=17).id == "17"
    found = one(tmp_path, id="spk/utt.1")
    assert found.id == safe_key("spk/utt.1")
    assert found.window.custom == {"original_id": "spk/utt.1"}


@pytest.mark.parametrize("name", ["audio", "audio_path", "path", "file", "file_name", "wav"])
def test_the_path_goes_by_other_names_too(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "a.wav")
    recordings, _ = read(write_lines(tmp_path / "m.jsonl", [{name: "a.wav", "sentence": "hi"}]))
    assert recordings[0].window.text == "hi"
    assert recordings[0].window.custom == {}


def test_a_second_name_of_the_text_stays_custom(tmp_path: Path) -> None:
    found = one(tmp_path, text="Hi.", normalized_text="hi")
    assert found.window.text == "Hi."
    assert found.window.custom == {"normalized_text": "hi"}


def test_segments_become_spans_and_stay_custom(tmp_path: Path) -> None:
    segments = [[0, 1.5, "one"], {"start": 2, "duration": 1, "text": "two", "lang": "de", "id": 7}]
    found = one(tmp_path, segments=segments)
    assert found.spans == (
        Span(start_seconds=0.0, duration_seconds=1.5, text="one"),
        Span(start_seconds=2.0, duration_seconds=1.0, text="two", language="de", custom={"id": 7}),
    )
    assert found.window.custom == {"segments": segments}


def test_a_field_called_segments_may_be_something_else(tmp_path: Path) -> None:
    assert one(tmp_path, segments=["intro", "outro"]).spans == ()
    assert one(tmp_path, segments=3).window.custom == {"segments": 3}


def test_a_segment_that_makes_no_sense_says_so_and_leaves_the_others(tmp_path: Path) -> None:
    segments = [
        [0, 1, "one"],
        [2, 1, "x"],
        {"start": -1, "duration": 1},
        {"end": 3},
        "four",
        [4, 5],
    ]
    found = one(tmp_path, segments=segments)
    assert [span.problem is None for span in found.spans] == [True, *[False] * 4, True]
    problems = [span.problem or "" for span in found.spans]
    assert problems[1] == "segment 2 of 6: it goes from 2.0 to 1.0 s, expected start <= end"
    assert problems[2] == "segment 3 of 6: start is '-1', expected a number of at least 0 (seconds)"
    assert problems[3].startswith("segment 4 of 6: \"{'end': 3}\", expected [start, end, text]")
    assert problems[4].startswith("segment 5 of 6: 'four', expected")
    assert found.window.custom == {"segments": segments}
    assert recording_from_row(recording_row(found)) == found


def test_nan_for_a_text_or_an_id_means_that_there_is_none(tmp_path: Path) -> None:
    found = one(tmp_path, text=math.nan, id=math.nan, lang=math.nan)
    assert (found.id, found.window) == (path_id("a.wav"), Span(start_seconds=0.0))


def test_numbers_that_json_cannot_hold_become_null(tmp_path: Path) -> None:
    found = one(tmp_path, snr=math.nan, deep={"x": [math.inf, 1.0]})
    assert found.window.custom == {"snr": None, "deep": {"x": [None, 1.0]}}


def test_a_recording_survives_its_arrow_row(tmp_path: Path) -> None:
    found = one(tmp_path, offset=1, duration=2, text="\u00fc", nested={"a": [1, None]},
                segments=[[0, 1, "x"]])  # fmt: skip
    assert recording_from_row(recording_row(found)) == found


@pytest.mark.parametrize(
    ("line", "reason", "word"),
    [
        ("{", INVALID_JSON, "not JSON"),
        ('{"audio_filepath": "a.wav", "text": "\\ud800"}', INVALID_JSON, "surrogate"),
        ("[" * 100_000, INVALID_JSON, "not JSON"),
        ('["a.wav"]', INVALID_ROW, "list"),
        ('{"text": "x"}', INVALID_ROW, "no path"),
        ('{"audio_filepath": ""}', INVALID_ROW, "no path"),
        ('{"audio_filepath": "a.wav", "offset": -1}', INVALID_ROW, "offset is '-1'"),
        ('{"audio_filepath": "a.wav", "offset": "1"}', INVALID_ROW, "offset is the text '1'"),
        ('{"audio_filepath": "a.wav", "offset": true}', INVALID_ROW, "offset"),
        ('{"audio_filepath": "a.wav", "duration": 0}', INVALID_ROW, "above 0"),
        ('{"audio_filepath": "a.wav", "duration": NaN}', INVALID_ROW, "duration is 'nan'"),
        ('{"audio_filepath": "a.wav", "duration": 1e999}', INVALID_ROW, "duration"),
        ('{"audio_filepath": "a.wav", "duration": 1' + "0" * 400 + "}", INVALID_ROW, "duration"),
        ('{"audio_filepath": "a.wav", "offset": 1e300}', INVALID_ROW, "at most 1e+09 (seconds)"),
        ('{"audio_filepath": "a.wav", "x": ' + "[" * 99 + "]" * 99 + "}", INVALID_ROW, "nested"),
        ('{"audio_filepath": "gone.wav"}', MISSING_FILE, "no such file"),
        ('{"audio_filepath": "a.wav/b.wav"}', MISSING_FILE, "correct the path"),
        ('{"audio_filepath": "sub"}', UNREADABLE, "a folder"),
        ('{"audio_filepath": "a\\u0000.wav"}', UNREADABLE, "null"),
        ('{"audio_filepath": "nonsense://a.wav"}', UNREADABLE, "nonsense"),
    ],
)
def test_a_bad_row_is_rejected_and_the_rest_goes_on(
    tmp_path: Path, line: str, reason: str, word: str
) -> None:
    touch(tmp_path, "a.wav", "b.wav", "sub/c.wav")
    good = {"audio_filepath": "b.wav"}
    recordings, rejects = read(write_lines(tmp_path / "m.jsonl", ["", line, good]))
    assert [recording.url for recording in recordings] == [str(tmp_path / "b.wav")]
    assert [reject.reason for reject in rejects] == [reason]
    assert word in rejects[0].detail
    assert "line 2" in rejects[0].detail
    assert rejects[0].stage == "ingest"
    assert rejects[0].source


def test_a_line_that_is_no_json_is_called_after_its_place(tmp_path: Path) -> None:
    manifest = write_lines(tmp_path / "m.jsonl", ["", "?"])
    _, rejects = read(manifest)
    assert rejects[0].id == safe_key("m.jsonl-line-2")
    assert rejects[0].source == manifest


def test_an_id_that_comes_again_is_rejected_and_the_first_stays(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    rows = [{"audio_filepath": "a.wav", "id": "x"}, {"audio_filepath": "b.wav", "id": "x"}]
    recordings, rejects = read(write_lines(tmp_path / "m.jsonl", rows))
    assert [recording.url for recording in recordings] == [str(tmp_path / "a.wav")]
    assert [(r.id, r.reason, r.source) for r in rejects] == [
        ("x", DUPLICATE_ID, str(tmp_path / "b.wav"))
    ]


def test_the_same_row_twice_is_a_duplicate_however_its_path_is_written(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.wav")
    paths = ["d/a.wav", "./d//a.wav", "d/../d/a.wav", str(tmp_path / "d/a.wav")]
    manifest = write_lines(tmp_path / "m.jsonl", [{"audio_filepath": path} for path in paths])
    recordings, rejects = read(manifest)
    assert len(recordings) == 1
    assert [reject.reason for reject in rejects] == [DUPLICATE_ID] * 3


def test_a_byte_order_mark_gzip_and_windows_lines_are_taken(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    line = b'\xef\xbb\xbf{"audio_filepath": "a.wav"}\r\n\r\n'
    (tmp_path / "m.json").write_bytes(line)
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(line))
    assert ids(tmp_path / "m.json") == ids(tmp_path / "m.jsonl.gz") == [path_id("a.wav")]


def test_bytes_that_are_not_utf8_cost_one_line(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "m.jsonl").write_bytes(
        b'{"audio_filepath": "a.wav", "text": "\xff"}\n{"audio_filepath": "a.wav"}\n'
    )
    recordings, rejects = read(tmp_path / "m.jsonl")
    assert len(recordings) == 1
    assert rejects[0].reason == INVALID_JSON
    assert "byte 37 is not UTF-8" in rejects[0].detail


@pytest.mark.parametrize("length", [99, 100, 101, 102, 250])
def test_a_line_that_is_too_long_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    touch(tmp_path, "a.wav")
    good = '{"audio_filepath": "a.wav"}'
    manifest = write_lines(tmp_path / "m.jsonl", ["x" * (length - 1), good])
    recordings, rejects = read(manifest)
    assert len(recordings) == 1
    assert [reject.reason for reject in rejects] == [INVALID_JSON]


def test_a_gzip_that_ends_early_gives_what_was_read_and_one_reject(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.wav" for i in range(2000)))
    rows = "".join(json.dumps({"audio_filepath": f"{i}.wav"}) + "\n" for i in range(2000))
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(rows.encode())[:-2000])
    recordings, rejects = read(tmp_path / "m.jsonl.gz")
    assert 0 < len(recordings) < 2000
    assert [reject.reason for reject in rejects] == [TRUNCATED]


def test_ids_do_not_depend_on_where_the_corpus_lies_or_how_it_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "corpus/audio/a.wav", "corpus/audio/b.wav", "other/x")
    absolute = str(tmp_path / "corpus/audio/b.wav")
    rows = [{"audio_filepath": "audio/a.wav"}, {"audio_filepath": absolute, "offset": 1}]
    manifest = write_lines(tmp_path / "corpus/manifest.jsonl", rows)
    (tmp_path / "link").symlink_to(tmp_path / "corpus")
    expected = ids(manifest)
    assert expected[0] == path_id("audio/a.wav")
    assert ids(tmp_path / "corpus") == ids(tmp_path / "link/manifest.jsonl") == expected
    assert ids(tmp_path / "c*/*.jsonl") == expected
    monkeypatch.chdir(tmp_path / "other")
    assert ids("../corpus/manifest.jsonl") == ids("../corpus") == ids("../corpus/") == expected


def test_files_of_one_name_beside_different_manifests_are_told_apart(tmp_path: Path) -> None:
    for split in ("train", "test"):
        touch(tmp_path, f"{split}/0001.wav")
        write_lines(tmp_path / split / "manifest.jsonl", [{"audio_filepath": "0001.wav"}])
    found = ids(tmp_path / "train/manifest.jsonl", tmp_path / "test/manifest.jsonl")
    assert found == [path_id("0001.wav"), path_id("test/0001.wav")]


def test_a_manifest_may_lie_on_a_remote_store(tmp_path: Path) -> None:
    del tmp_path
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/audio/a.wav", b"RIFF")
    memory.pipe("/bucket/b.wav", b"RIFF!")
    rows = [f'{{"audio_filepath": "audio/{i}.wav"}}' for i in range(300)]
    rows += ['{"audio_filepath": "audio/a.wav"}', '{"audio_filepath": "memory://bucket/b.wav"}']
    memory.pipe("/bucket/m.jsonl", "\n".join(rows).encode())
    try:
        recordings, rejects = read("memory://bucket/m.jsonl")
        found = ids("memory://bucket")
    finally:
        memory.rm("/bucket", recursive=True)
    assert [recording.id for recording in recordings] == [
        path_id("audio/a.wav"),
        path_id("b.wav"),
    ]
    assert recordings[0].url == "memory://bucket/audio/a.wav"
    assert recordings[1].version.startswith("5:")
    assert [reject.reason for reject in rejects] == [MISSING_FILE] * 300
    assert rejects[7].source.endswith("/7.wav")
    assert found == [path_id("audio/a.wav"), path_id("b.wav")]


class BufferedFile(AbstractBufferedFile):  # type: ignore[misc]
    """A file as object stores open it, over bytes."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self.fs.cat_file(self.path)[start:end])


@pytest.mark.parametrize("name", ["m.jsonl", "m.jsonl.gz"])
def test_lines_are_read_from_files_as_object_stores_open_them(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/audio/a.wav", b"RIFF")
    line = b'{"audio_filepath": "audio/a.wav"}\n?\n'
    memory.pipe(f"/bucket/{name}", gzip.compress(line) if name.endswith("gz") else line)
    monkeypatch.setattr(storage, "open_read", lambda url: BufferedFile(memory, url[8:], size=None))
    try:
        recordings, rejects = read(f"memory://bucket/{name}")
    finally:
        memory.rm("/bucket", recursive=True)
    assert [recording.id for recording in recordings] == [path_id("audio/a.wav")]
    assert [reject.reason for reject in rejects] == [INVALID_JSON]


def test_a_store_that_fails_ends_the_job_rather_than_losing_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.wav")
    manifest = write_lines(tmp_path / "m.jsonl", [{"audio_filepath": "a.wav"}] * 3)
    rows = read_inputs([manifest])

    def fail(url: str) -> None:
        raise OSError(5, "input/output error", url)

    monkeypatch.setattr(storage, "open_read", fail)
    with pytest.raises(JobError, match="check your access and run again"):
        list(rows)


def test_an_input_without_a_name_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="an input is empty"):
        read_inputs([""])


def test_a_manifest_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist; correct the path"):
        read_inputs([str(tmp_path / "none.jsonl")])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["audio_filepath", "path", "offset", "duration", "text", "id", "segments", "lang", "x"]
)
rows = st.dictionaries(field_names, json_values | st.just("a.wav"), max_size=6)


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(rows | json_values, max_size=8))
def test_every_json_line_comes_out_as_one_row(tmp_path: Path, values: list[Any]) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values))
    recordings, rejects = read(tmp_path / "m.jsonl")
    assert len(recordings) + len(rejects) == len(values)
    for recording in recordings:
        assert recording_from_row(recording_row(recording)) == recording


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=8))
def test_every_line_of_any_bytes_comes_out_as_one_row(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "m.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    recordings, rejects = read(tmp_path / "m.jsonl")
    assert not recordings
    first = [line.removeprefix(b"\xef\xbb\xbf") for line in lines[:1]]
    assert len(rejects) == sum(bool(line.strip()) for line in first + lines[1:])


@pytest.mark.parametrize(
    "more",
    [
        {"recording_id": "r1", "start": 0.0},
        {"sources": ["librivox"]},
        {"type": "MonoCut"},
        {"start": 0.0, "supervisions": []},
    ],
)
def test_fields_named_like_lhotse_s_are_custom_where_a_row_has_a_path(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    (tmp_path / "a.wav").touch()
    row = {"audio_filepath": "a.wav", "duration": 1.0, "text": "hi", **more}
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n")
    (found,) = read_inputs([str(tmp_path / "m.jsonl")])
    assert isinstance(found, Recording)
    assert found.window.custom == more


def test_segments_are_held_against_their_row_s_window(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    segments = [[0.0, 0.5, "before"], [1.5, 2.5, "into"], [2.2, 2.8, "in"], [3.0, 4.0, "after"]]
    row = {"audio_filepath": "a.wav", "offset": 2.0, "duration": 1.0, "segments": segments}
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n")
    (found,) = read_inputs([str(tmp_path / "m.jsonl")])
    assert isinstance(found, Recording)
    kept = {s.text: (s.start_seconds, s.end_seconds) for s in found.spans if s.problem is None}
    assert kept == {"into": (2.0, 2.5), "in": (2.2, pytest.approx(2.8))}
    assert [s.text for s in found.spans if s.problem] == ["before", "after"]
    listed = whole_of(found, 2.0).custom["segments"]
    assert [(s.get("start"), s.get("end")) for s in listed[1:3]] == [(0.0, 0.5), (0.2, 0.8)]
