"""`--config`: what a job file may say."""

import re
from pathlib import Path

import pytest

from tests.conftest import UTTERANCES, wavemill
from wavemill.cli import main
from wavemill.errors import UsageError


def refusal(job: Path, content: bytes) -> str:
    job.write_bytes(content)
    arguments = ["prepare", str(UTTERANCES), "--out", str(job.parent / "out"), "--config", str(job)]
    with pytest.raises(UsageError) as caught:
        main(args=arguments, standalone_mode=False)
    assert str(job) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("buckets: many", "buckets: expected a whole number, got 'many'"),
        ("buckets: 2.5", "buckets: expected a whole number, got 2.5"),
        ("buckets: true", "buckets: expected a whole number, got True"),
        ("sub-buckets: [1]", r"sub-buckets: expected a whole number, got \[1\]"),
        ("buckets:", "buckets: expected a whole number, got nothing"),
        ("max_rejected: [1]", r"max_rejected: expected a number, got \[1\]"),
        ('mono: "yes"', "mono: expected true or false, got 'yes'"),
        ("mono: 1", "mono: expected true or false, got 1"),
        ("tokenizer: {a: b}", "tokenizer: expected text, or a list of texts"),
        ("tokenizer: [[beats]]", "tokenizer: expected text, or a list of texts"),
        ("inputs: 3", "inputs: expected text, or a list of texts, got 3"),
        ("segment: 2024-01-02", "segment: expected text, got datetime.*needs quotes"),
        ("segment: 2024-13-45", "month must be in 1..12"),
        ("buckets: 3\nbuckets: 4", "'buckets' is given twice.*line 2"),
        ("[1]: 2", "unhashable key"),
        ("- buckets", "expected `name: value` lines"),
        ("buckets", "expected `name: value` lines"),
        ("a: [", "cannot read it"),
        ("[" * 3000, "cannot read it"),
        ("config: other.yaml", "no option is named 'config'"),
        ("json_: true", "did you mean json"),
        ("beam: 3", "takes `option: value` lines"),
        ("beam: {job_name: {a: b}}", "beam: job_name: expected a value"),
    ],
)
def test_a_wrong_value_names_file_and_option(content: str, words: str, tmp_path: Path) -> None:
    assert re.search(words, refusal(tmp_path / "job.yaml", content.encode()))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    assert "cannot read it" in refusal(tmp_path / "job.yaml", b"buckets: \xff\xfe")


def test_a_folder_is_no_job_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        main(args=["prepare", "x", "--config", str(tmp_path)], standalone_mode=False)


def test_flags_work_both_ways_and_those_of_the_command_line_win(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    plain = ["prepare", UTTERANCES, "--out", tmp_path / "out", "--dry-run", "--json"]

    def stages(content: str, *more: str) -> set[str]:
        job.write_text(content)
        done = wavemill(*plain, "--config", job, *more)
        assert done.code == 0, done.err
        return set(done.json["units_to_do"])

    as_is, mono = stages("mono: false"), stages("mono: true\njson: true\nbeam: {streaming: false}")
    assert as_is != mono
    assert stages("mono: true", "--no-mono") == as_is
    assert stages("", "--mono") == mono


def test_an_unknown_option_of_beam_is_refused_in_a_job_file_too(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("beam: {flink_mster: x}\n")
    done = wavemill("prepare", UTTERANCES, "--out", tmp_path / "out", "--config", job)
    assert done.code == 2
    assert "no such option: --flink_mster=x" in done.err
