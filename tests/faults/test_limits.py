"""What a process may not do or have: files that are forbidden or broken, open files, a place for
temporary ones."""

import contextlib
import errno
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SPEECH, read_jsonl
from tests.faults.faulty import Disk, failing, run_here
from tests.faults.mounts import disk, needs_mounts
from tests.faults.places import Folder

OPTIONS = ("--segment", "none", "--tokenizer", "mvq", "--unit-mb", 0.03, "--workers", 1,
           "--max-rejected", 0.3)  # fmt: skip
COUNT = 6
NOBODY = 65534


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for source in sorted((SPEECH / "audio").glob("*.flac"))[:COUNT]:
        shutil.copy2(source, folder)
    return folder


def prepare(given: Path, out: Path) -> tuple[int, list[str]]:
    return run_here("prepare", given, "--out", out, *OPTIONS)


def rejects(out: Path) -> list[tuple[str, str]]:
    return [(row["stage"], row["reason"]) for row in read_jsonl(out / "rejected.jsonl")]


def test_a_file_of_a_damaged_sector_is_rejected_and_the_rest_is_not(
    given: Path, tmp_path: Path
) -> None:
    bad = sorted(given.iterdir())[2]
    with failing(Disk(root=bad, kinds=("read",), code=errno.EIO, number=0)):
        assert prepare(given, tmp_path / "out") == (0, [])
    assert rejects(tmp_path / "out") == [("segment", "unreadable")]


@pytest.mark.parametrize(
    ("kinds", "code", "last"),
    [
        pytest.param(("read",), errno.EIO, 1, id="for a moment"),
        pytest.param(("read", "list"), errno.EIO, 1 << 60, id="for good"),
        pytest.param(("read",), errno.ESTALE, 1 << 60, id="stale"),
        pytest.param(("open",), errno.EMFILE, 1 << 60, id="open files"),
        pytest.param(("look",), errno.ENOTCONN, 1 << 60, id="not connected"),
    ],
)
def test_an_input_disk_that_fails_is_no_reject(
    kinds: tuple[str, ...], code: int, last: int, given: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = 1 if "list" not in kinds else 3  # the listing itself is well
    with failing(Disk(root=given, kinds=kinds, code=code, number=first, last=first + last)):
        ended, said = prepare(given, out)
    assert ended == (2 if "look" in kinds else 1), said  # 2: the input cannot even be listed
    (line,) = said
    assert "/in" in line
    assert ";" in line
    assert prepare(given, out) == (0, [])
    assert rejects(out) == []
    assert prepare(given, tmp_path / "whole") == (0, [])
    assert Folder(out).digests() == Folder(tmp_path / "whole").digests()


@contextlib.contextmanager
def as_nobody() -> Iterator[Path]:
    """Be another user for a while, with a folder that all may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    try:
        os.seteuid(NOBODY)
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_a_forbidden_file_is_rejected_until_it_is_allowed(given: Path, tmp_path: Path) -> None:
    assert prepare(given, tmp_path / "loaded") == (0, [])  # what a job loads may be root's alone
    with as_nobody() as folder:
        os.seteuid(0)
        shutil.copytree(given, folder / "in")
        bad = sorted((folder / "in").iterdir())[1]
        bad.chmod(0)
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        os.seteuid(NOBODY)
        out = folder / "open" / "out"
        assert prepare(folder / "in", out) == (0, [])
        assert rejects(out) == [("ingest", "unreadable")]
        os.seteuid(0)
        bad.chmod(0o644)
        os.seteuid(NOBODY)
        assert prepare(folder / "in", out) == (0, [])
        assert rejects(out) == []


@needs_root
def test_a_folder_that_may_not_be_written_is_one_line(given: Path, tmp_path: Path) -> None:
    assert prepare(given, tmp_path / "loaded") == (0, [])
    with as_nobody() as folder:
        os.seteuid(0)
        shutil.copytree(given, folder / "in")
        os.seteuid(NOBODY)
        code, said = prepare(folder / "in", folder / "out")
        assert code == 1
        (line,) = said
        assert line.startswith(f"wavemill: {folder}/out: Permission denied; ")
        assert not (folder / "out").exists()


def free_from(spare: int) -> int:
    """Return the number below which so many descriptors are free."""
    used = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    free = (number for number in itertools.count() if number not in used)
    return next(itertools.islice(free, spare, None))


@pytest.mark.parametrize(
    "spare", [0, 3, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2, 5, 8))]
)
def test_too_few_open_files_are_one_line_and_reject_nothing(
    spare: int, given: Path, tmp_path: Path
) -> None:
    out, limits = tmp_path / "out", resource.getrlimit(resource.RLIMIT_NOFILE)
    assert prepare(given, tmp_path / "whole") == (0, [])
    resource.setrlimit(resource.RLIMIT_NOFILE, (free_from(spare), limits[1]))
    try:
        ended, said = prepare(given, out)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(said) == (ended == 1), said
    assert ended in (0, 1)
    assert prepare(given, out) == (0, [])
    assert Folder(out).digests() == Folder(tmp_path / "whole").digests()


@needs_mounts
def test_a_full_temporary_folder_is_one_line(tmp_path: Path) -> None:
    program = (
        "from wavemill.pipelines.ingest import seen; seen.CACHE_KIB = 16;"
        " from wavemill.__main__ import run; run()"
    )
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number}.flac").touch()
    with disk(tmp_path / "temporary", "64k") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, "prepare", str(folder), "--out", str(tmp_path / "out")],
            env={**os.environ, "TMPDIR": str(full), "SQLITE_TMPDIR": str(full)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("ingest:")]
    assert "(TMPDIR)" in line
    assert "make room there" in line
