"""`wavemill plan`: what its table of lengths may hold."""

import gzip
import json
from pathlib import Path

import pytest

from wavemill.cli import main
from wavemill.errors import JobError

GOOD = '{"id": "a", "duration": 1.5, "tokens": 3}'


def plan(*arguments: object) -> None:
    main(args=["plan", *map(str, arguments), "--batch-seconds", "10"], standalone_mode=False)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GOOD, "the id of line 1; ids must differ"),
        ('{"id": "b", "duration": true}', "duration is True"),
        ('{"id": "b", "duration": "1"}', "duration is '1'"),
        ('{"id": "b", "duration": NaN}', "duration is nan"),
        ('{"id": "b", "duration": 1e300}', "duration is 1e"),
        ('{"id": "b", "duration": 0}', "duration is 0"),
        ('{"id": "b", "duration": 1, "tokens": 2.0}', "tokens is 2.0, expected a whole number"),
        ('{"id": "b", "duration": 1, "tokens": true}', "tokens is True"),
        ('{"id": "b", "duration": 1, "tokens": -1}', "tokens is -1"),
        ('{"id": "b", "duration": 1, "tokens": 99999999999999999999}', "tokens is 9999"),
        ('{"duration": 1}', "id is None"),
        ('{"id": false, "duration": 1}', "id is False"),
        ("[1]", "a list, expected an object"),
        ('{"id', "not JSON"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(row: str, words: str, tmp_path: Path) -> None:
    lengths = tmp_path / "lengths.jsonl"
    lengths.write_text(f"{GOOD}\n\n{row}\n")
    with pytest.raises(JobError, match=f"lengths.jsonl line 3: {words}"):
        plan(lengths)


def test_gzipped_rows_are_read_and_a_damaged_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths = tmp_path / "lengths.jsonl.gz"
    lengths.write_bytes(gzip.compress(f"{GOOD}\n".encode()))
    plan(lengths, "--json")
    assert json.loads(capsys.readouterr().out)["batches"] == 1
    lengths.write_bytes(lengths.read_bytes()[:-9])
    with pytest.raises(JobError, match="damaged"):
        plan(lengths)


def test_a_place_for_batches_that_cannot_be_written_stops_it_before_the_work(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "batches.jsonl"):
        with pytest.raises(JobError, match=f"cannot write {place}"):
            plan(tmp_path / "nowhere.jsonl", "--batches", place)
