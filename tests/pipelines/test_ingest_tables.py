import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.ingest_files import ids, names, read, touch, write_lines
from wavemill.errors import UsageError
from wavemill.records import (
    INVALID_ROW,
    MISSING_FILE,
    TRUNCATED,
    path_id,
    recording_from_row,
    recording_row,
)


def write_parquet(path: Path, columns: dict[str, Any]) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_csv_rows_read_as_nemo_rows_do(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.wav")
    lines = ["\ufeffpath,offset,duration,sentence,label,empty", 'd/a.wav,1.5,2,"a, b",x,']
    recordings, rejects = read(write_lines(tmp_path / "t.csv", lines))
    assert not rejects
    found = recordings[0]
    assert found.explicit_window
    assert (found.window.start_seconds, found.window.duration_seconds) == (1.5, 2.0)
    assert found.window.text == "a, b"
    assert found.window.custom == {"label": "x"}


def test_a_table_gives_the_ids_of_the_manifest_with_the_same_rows(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.wav", "d/b.wav")
    rows: list[dict[str, Any]] = [
        {"audio_filepath": "d/a.wav", "offset": 0.0, "duration": 1.0},
        {"audio_filepath": "d/b.wav", "offset": 2.5, "duration": 1.25},
    ]
    cells = [",".join(map(str, row.values())) for row in rows]
    expected = ids(write_lines(tmp_path / "m.jsonl", rows))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert ids(write_lines(tmp_path / "t.csv", [",".join(rows[0]), *cells])) == expected
    assert ids(write_parquet(tmp_path / "t.parquet", columns)) == expected


def test_one_ragged_row_does_not_take_the_rest_with_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    lines = ["file_name,text", "a.wav,x,y", "", "a.wav", "b.wav,x", "gone.wav,x"]
    recordings, rejects = read(write_lines(tmp_path / "t.csv", lines))
    assert names(recordings) == ["b.wav"]
    assert [reject.reason for reject in rejects] == [INVALID_ROW, INVALID_ROW, MISSING_FILE]
    assert "line 2: 3 cells, expected 2" in rejects[0].detail
    assert "line 4" in rejects[1].detail


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.wav" for i in range(6)))
    lines = ["file_name,text", '0.wav,"two', 'lines"', '1.wav,"open', "2.wav,x", '3.wav,"y"',
             "4.wav,z", '5.wav,"end']  # fmt: skip
    recordings, rejects = read(write_lines(tmp_path / "t.csv", lines))
    assert names(recordings) == ["0.wav", "2.wav", "3.wav", "4.wav"]
    assert recordings[0].window.text == "two\nlines"
    assert ["line 4" in rejects[0].detail, "line 8" in rejects[1].detail] == [True, True]


def test_a_tsv_may_leave_quotes_as_they_are(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav", "c.wav")
    lines = ["path\tsentence", 'a.wav\t"Yes" he said', 'b.wav\t"Quoted"', 'c.wav\t"open']
    recordings, rejects = read(write_lines(tmp_path / "t.tsv", lines))
    assert not rejects
    assert [found.window.text for found in recordings] == ['"Yes" he said', "Quoted", '"open']


def test_bytes_that_are_not_utf8_cost_one_row(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    (tmp_path / "t.csv").write_bytes(b"path,text\na.wav,\xff\nb.wav,x\n")
    recordings, rejects = read(tmp_path / "t.csv")
    assert names(recordings) == ["b.wav"]
    assert "not UTF-8" in rejects[0].detail


def test_a_number_that_is_none_is_rejected_with_its_text(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    _, rejects = read(write_lines(tmp_path / "t.csv", ["path,duration", "a.wav,long"]))
    assert rejects[0].reason == INVALID_ROW
    assert "'long'" in rejects[0].detail


@pytest.mark.parametrize("lines", [[], ["LJ001|text|text"], ["name;path", "x;a.wav"]])
def test_a_table_without_a_column_of_paths_is_wrong_usage(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(UsageError, match="no column of audio paths"):
        read(write_lines(tmp_path / "t.csv", lines))


def test_parquet_values_become_what_json_holds(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    columns = {
        "path": ["a.wav"],
        "duration": [decimal.Decimal("1.50")],
        "when": [dt.date(2020, 1, 2)],
        "raw": [b"\xff"],
        "segments": [[{"start": 0.0, "end": 1.0, "text": "x"}]],
        "none": pa.array([None], pa.string()),
    }
    recordings, rejects = read(write_parquet(tmp_path / "t.parquet", columns))
    assert not rejects
    found = recordings[0]
    assert found.id == path_id("a.wav")
    assert found.window.duration_seconds == 1.5
    assert found.window.custom == {
        "when": "2020-01-02", "raw": "/w==", "segments": [{"start": 0.0, "end": 1.0, "text": "x"}],
    }  # fmt: skip
    assert found.spans[0].text == "x"
    assert recording_from_row(recording_row(found)) == found


def test_parquet_that_holds_the_audio_itself_is_wrong_usage(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "t.parquet", {"audio": [{"bytes": b"RIFF", "path": "a.wav"}]})
    with pytest.raises(UsageError, match="export it to files"):
        read(path)


def test_what_is_not_parquet_is_wrong_usage(tmp_path: Path) -> None:
    touch(tmp_path, "t.parquet")
    with pytest.raises(UsageError, match="not a Parquet file"):
        read(tmp_path / "t.parquet")


def test_damage_inside_a_parquet_file_gives_one_reject(tmp_path: Path) -> None:
    paths = [f"{i:06d}.wav" for i in range(5000)]
    touch(tmp_path, *paths[:10])
    path = Path(write_parquet(tmp_path / "t.parquet", {"path": paths}))
    data = bytearray(path.read_bytes())
    data[:2000] = bytes(2000)
    path.write_bytes(data)
    _, rejects = read(path)
    assert [reject.reason for reject in rejects] == [TRUNCATED]


def test_dates_and_times_of_parquet_travel_however_far_they_lie(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    columns = {
        "path": ["a.wav", "b.wav"],
        "exact": pa.array([5, None], pa.timestamp("ns")),
        "far": pa.array([2**62, 0], pa.timestamp("us")),
    }
    recordings, rejects = read(write_parquet(tmp_path / "t.parquet", columns))
    assert not rejects
    assert recordings[0].window.custom["exact"] == "1970-01-01 00:00:00.000000005"
    assert recordings[1].window.custom == {"far": "1970-01-01 00:00:00.000000"}


def test_a_value_of_parquet_that_cannot_be_read_costs_its_row(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    far = pa.array([[2**62], [0]], pa.list_(pa.timestamp("us")))
    path = write_parquet(tmp_path / "t.parquet", {"path": ["a.wav", "b.wav"], "far": far})
    recordings, rejects = read(path)
    assert names(recordings) == ["b.wav"]
    assert [(reject.reason, reject.detail.split(":")[0]) for reject in rejects] == [
        (INVALID_ROW, "row 1")
    ]


def test_two_columns_of_one_name_are_wrong_usage(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", ["path,text,text", "a.wav,x,y"])
    with pytest.raises(UsageError, match="two columns are called 'text'; rename one"):
        read(path)


def test_a_header_may_have_blanks_around_its_names_and_blank_lines_before_it(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "a.wav")
    recordings, rejects = read(write_lines(tmp_path / "t.csv", ["", "path, text", "a.wav,hi"]))
    assert not rejects
    assert recordings[0].window.text == "hi"


@pytest.mark.parametrize("name", ["manifest.csv.gz", "manifest.parquet", "manifest.csv"])
def test_a_table_damaged_from_the_start_is_wrong_usage_and_in_a_folder_a_reject(
    tmp_path: Path, name: str
) -> None:
    touch(tmp_path, "a.wav")
    (tmp_path / name).write_bytes(b"path,text\ra.wav,x\r")
    with pytest.raises(UsageError, match=r"fetch it again|write it again|correct its cells"):
        read(tmp_path / name)
    recordings, rejects = read(tmp_path)
    assert names(recordings) == ["a.wav"]
    assert [reject.source for reject in rejects] == [str(tmp_path / name)]


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.sampled_from(["csv", "tsv"]), st.text(alphabet='a.,\t" \n\r\u00e9', max_size=60))
def test_no_row_of_a_table_is_lost_whatever_its_quotes(
    tmp_path: Path, suffix: str, body: str
) -> None:
    touch(tmp_path, "a", "end.wav")
    comma = "\t" if suffix == "tsv" else ","
    last = f"\nend.wav{comma}last\n"
    (tmp_path / f"t.{suffix}").write_text(f"path{comma}text\n{body}{last}", "utf-8", newline="")
    recordings, rejects = read(tmp_path / f"t.{suffix}")
    assert len(recordings) + len(rejects) >= bool(body.strip()) + 1
    assert len(recordings) + len(rejects) <= body.count("\n") + body.count("\r") + 2
    if '"' not in body:
        assert recordings[-1].window.text == "last"
