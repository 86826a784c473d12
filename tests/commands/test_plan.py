"""`wavemill plan`: what its table of lengths may hold."""

import gzip
import json
from pathlib import Path

import pytest

from wavemill.cli import main
from wavemill.errors import JobError, UsageError

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
        ('{"id": "b", "duration": 1, "tokens": 2.5}', "tokens is 2.5, expected a whole number"),
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


@pytest.mark.parametrize("option", ["--batches", "--bins"])
def test_what_is_read_is_not_written_over(option: str, tmp_path: Path) -> None:
    path = tmp_path / "lengths.jsonl"
    path.write_text(GOOD)
    with pytest.raises(UsageError, match="is read or written already"):
        plan(path, option, tmp_path / ".." / tmp_path.name / path.name)
    with pytest.raises(UsageError, match=r"--bins .* is read or written already"):
        plan(path, "--batches", tmp_path / "new", "--bins", tmp_path / "new")
    assert path.read_text() == GOOD


def test_ranks_get_as_many_batches_and_the_file_lists_them_step_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths, batches = tmp_path / "lengths.jsonl", tmp_path / "batches.jsonl"
    rows = [{"id": f"u{n}", "duration": 1 + n % 7, "tokens": n % 5} for n in range(200)]
    lengths.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan(lengths, "--world-size", "3", "--batches", batches, "--json")
    found = json.loads(capsys.readouterr().out)
    planned = [json.loads(line) for line in batches.read_text().splitlines()]
    assert len(planned) == found["batches"] == 3 * found["steps"]
    assert sorted(name for batch in planned for name in batch) == sorted(
        f"u{n}" for n in range(200)
    )
    assert (found["dropped"], found["repeated"], found["samples"]) == (0, 0, 200)


def test_bins_are_printed_and_serve_as_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths, bins = tmp_path / "lengths.jsonl", tmp_path / "bins.yaml"
    lengths.write_text(f"{GOOD}\n")
    plan(lengths, "--bins", bins)
    plan(lengths, "--bins", "-")
    assert bins.read_text() in capsys.readouterr().out
    assert "bucket_duration_bins: [[1.51,3]]\nbucket_batch_size: [6]\nmax_tps: [2.0]" in (
        bins.read_text()
    )
    main(args=["plan", str(lengths), "--profile", str(bins), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["full"] == pytest.approx(1 / 6, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ([], UsageError, "nothing limits a batch; give --batch-seconds"),
        (["--batch-seconds", "1", "--world-size", "0"], UsageError, "--world-size 0"),
        (["--profile", "{tmp}/none.yaml"], JobError, "cannot read .*none.yaml"),
        (["--profile", "{tmp}/lengths.jsonl"], JobError, "lengths.jsonl: give lists"),
        (["--profile", "{tmp}/bad.yaml"], JobError, "bad.yaml: not YAML"),
    ],
)
def test_limits_that_are_none_are_refused(
    arguments: list[str], error: type[Exception], words: str, tmp_path: Path
) -> None:
    (tmp_path / "lengths.jsonl").write_text(f"{GOOD}\n")
    (tmp_path / "bad.yaml").write_text("a: [1")
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    with pytest.raises(error, match=words):
        main(args=["plan", str(tmp_path / "lengths.jsonl"), *filled], standalone_mode=False)
