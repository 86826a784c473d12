"""The benchmark that has a name of the standard library's is in nobody's way."""

import json
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_of_the_folder_gets_the_standard_library_s_module() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "import linecache, tokenize; print(tokenize.__file__, callable(tokenize.generate_tokens))"
    )
    assert python("-c", code).split() == [tokenize.__file__, "True"]
    assert "asterisk-en" in python(str(BENCHMARKS / "corpora.py"), "--list")


@pytest.mark.parametrize("flags", [[], ["-P"]])
def test_the_benchmark_runs_by_its_name_and_says_what_is_missing(flags: list[str]) -> None:
    script = str(BENCHMARKS / "tokenize.py")
    said = python(*flags, script, "--only", "sylber", "--rounds", "1", "--workers", "1")
    assert "GFLOP/s with 1 thread" in said
    assert "left out: pip download --no-deps --no-binary :all: sylber==0.1.4" in said


def test_a_line_through_a_jobs_times_says_what_starting_takes() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from pipeline_growth import Point, lines\n"
        "points = [Point(n, 60 * n, 4 + 3 * n, 500.0 + n, 900.0) for n in (1, 2, 4, 8)]\n"
        "print(*lines(points), sep='\\n')"
    )
    *rows, said = python("-c", code).splitlines()
    assert rows[1].split() == ["1x", "60", "7.0", "7.0", "501", "1.00", "900"]
    assert said == "seconds = 4.00 + 3.00 x times; no point is off by more than 0.0%"


def test_a_corpus_comes_several_times_under_other_names(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text('{"audio_filepath": "a.wav"}\n{"audio_filepath": "b.wav"}\n')
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from pathlib import Path; from pipeline_job import repeated_manifest\n"
        f"print(repeated_manifest(Path({str(tmp_path)!r}), 3, Path({str(tmp_path / 'all')!r})))"
    )
    assert python("-c", code) == "6\n"
    rows = [json.loads(line) for line in (tmp_path / "all").read_text().splitlines()]
    assert len({row["id"] for row in rows}) == 6
    assert {row["audio_filepath"] for row in rows} == {
        str(tmp_path / name) for name in ("a.wav", "b.wav")
    }


@pytest.mark.slow
def test_the_driver_of_ten_times_the_recordings_takes_no_more_memory(tmp_path: Path) -> None:
    counts, place = ["5_000", "50_000"], tmp_path / "figures.json"
    command = [sys.executable, str(BENCHMARKS / "scale.py"), *counts, "--workers", "1",
               "--shard-mb", "4", "--dir", str(tmp_path), "--json", str(place)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    few, many = json.loads(place.read_text())
    for one, other in zip(few["steps"], many["steps"], strict=True):
        assert one["step"] == other["step"]
        # All that is known of a sample, held twice, would be 6 MB; names and rows as objects 50.
        assert other["anonymous_mb"] < one["anonymous_mb"] + 40
    assert list(tmp_path.iterdir()) == [place]
