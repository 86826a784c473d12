"""A disk that is full, read-only or gone at any operation: one line, and a spool that goes on."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import SPEECH, UTTERANCES, read_jsonl
from tests.faults.faulty import FULL, LOST, READ_ONLY, Disk, failing, run_here
from tests.faults.places import Folder

COUNT = 6
OPTIONS = ("--segment", "none", "--tokenizer", "mvq", "--buckets", 2, "--shard-mb", 0.1,
           "--unit-mb", 0.03, "--workers", 1)  # fmt: skip
FAULTS = {
    "full": (FULL, errno.ENOSPC),
    "read-only": (READ_ONLY, errno.EROFS),
    "stale": (LOST, errno.ESTALE),
    "broken": (LOST, errno.EIO),
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("few") / "manifest.jsonl"
    rows = read_jsonl(UTTERANCES)[:COUNT]
    for row in rows:
        row["audio_filepath"] = str(SPEECH / row["audio_filepath"])
    place.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return place


def prepare(manifest: Path, out: Path) -> tuple[int, list[str]]:
    return run_here("prepare", manifest, "--out", out, *OPTIONS)


@pytest.fixture(scope="module")
def whole(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a job leaves on a disk that holds."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert prepare(manifest, out) == (0, [])
    return Folder(out).digests()


def check_line(code: int, said: list[str]) -> None:
    """The job ended with one line that names a place and a remedy."""
    assert code == 1, said
    assert len(said) == 1, said
    (line,) = said
    assert line.startswith("wavemill: "), line
    assert "Error:" not in line, line
    assert "/out" in line, line
    assert ";" in line, line


def check_spool(out: Path, whole: dict[str, str]) -> None:
    """All that is in the spool is what a whole job puts there, and no dataset is half there."""
    found = Folder(out).digests() if out.exists() else {}
    for name, digest in found.items():
        if name.startswith("_work/") and name.endswith((".arrow", ".json")) and "-" in name:
            assert whole[name] == digest, name
    if "dataset.json" in found:
        assert {**found, **whole} == found


PARTS = 8
"""In which all operations are tried, so that no test takes many minutes."""


@pytest.mark.parametrize(
    ("kind", "first", "step"),
    [
        ("full", 30, 70),
        ("read-only", 40, 1000),
        ("stale", 70, 220),
        *(
            pytest.param(kind, part, PARTS, marks=pytest.mark.slow)
            for kind in FAULTS
            for part in range(PARTS)
        ),
    ],
)
def test_a_disk_may_fail_at_any_operation(
    kind: str, first: int, step: int, manifest: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    kinds, code = FAULTS[kind]
    for number in range(first, 10_000, step):
        out = tmp_path / str(number) / "out"
        disk = Disk(root=out, kinds=kinds, code=code, number=number)
        with failing(disk):
            ended, said = prepare(manifest, out)
        if not disk.errors:
            break
        if ended:  # else it failed at something that no dataset needs
            check_line(ended, said)
        check_spool(out, whole)
        assert prepare(manifest, out) == (0, [])
        assert Folder(out).digests() == whole
        shutil.rmtree(out.parent)
    assert number > first
