"""The benchmark that has a name of the standard library's is in nobody's way."""

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
