"""Disks that fill up, are read-only, or go while a job runs: mounted for the test."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.cases import MVQ, PARTS, Corpus
from tests.faults.faulty import PROGRESS
from tests.faults.mounts import disk, mount, needs_mounts, unmount
from tests.faults.places import Folder
from tests.faults.processes import Process
from tests.faults.warm import WarmServer

pytestmark = needs_mounts
SECONDS = 120.0
SEGMENTS = "_work/segments-*/*.arrow"


class Runs:
    """Runs of one job on one folder."""

    def __init__(self, warm: WarmServer, inputs: str, log: Path) -> None:
        self._warm, self._inputs, self._log = warm, inputs, log

    def start(self, out: Path) -> Process:
        words = ("prepare", self._inputs, "--out", str(out), *PARTS, *MVQ, "--workers", "1")
        return self._warm.start(words, self._log, {})

    def said(self) -> list[str]:
        lines = self._log.read_text().splitlines()
        return [line for line in lines if not line.startswith(PROGRESS)]

    def fails(self, process: Process) -> str:
        """Wait for a job's end, which must be an error of one line; return it."""
        assert process.wait(SECONDS) == 1, self.said()
        (line,) = self.said()
        assert line.startswith("wavemill: "), line
        return line

    def ends(self, out: Path) -> None:
        """Run the job again, to its end."""
        assert self.start(out).wait(SECONDS) == 0, self.said()


def slow(value: Any) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.fixture
def runs(few: Corpus, warm: WarmServer, tmp_path: Path) -> Runs:
    return Runs(warm, few.all, tmp_path / "log")


@pytest.fixture(scope="module")
def whole(
    few: Corpus, warm: WarmServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("whole")
    Runs(warm, few.all, folder / "log").ends(folder / "out")
    return Folder(folder / "out").digests()


def wait_for(out: Path, pattern: str, process: Process) -> None:
    while not any(out.glob(pattern)):
        assert process.poll() is None
        time.sleep(0.002)


@pytest.mark.parametrize(
    "share",
    [0.5, *(slow(number / 40) for number in range(1, 40))],
)
def test_a_disk_of_any_size_fills_up_and_the_job_goes_on_with_more_room(
    share: float, runs: Runs, whole: dict[str, str], tmp_path: Path
) -> None:
    with disk(tmp_path / "out", "64m") as out:
        runs.ends(out)
        pages = sum(-(-path.stat().st_size // 4096) for path in out.rglob("*") if path.is_file())
    shutil.rmtree(out)
    with disk(out, f"{int(share * pages) * 4}k"):
        line = runs.fails(runs.start(out))
        assert "No space left on device; make room on the disk" in line
        found = Folder(out).digests()
        assert all(whole[name] == found[name] for name in found if name.endswith(".arrow"))
        mount("-o", "remount,size=64m", out)
        runs.ends(out)
        assert Folder(out).digests() == whole


@pytest.mark.slow
def test_a_disk_is_read_only_when_a_killed_job_goes_on(
    runs: Runs, whole: dict[str, str], tmp_path: Path
) -> None:
    with disk(tmp_path / "out") as out:
        process = runs.start(out)
        wait_for(out, SEGMENTS, process)
        process.kill()
        mount("-o", "remount,ro", out)
        assert "Read-only file system" in runs.fails(runs.start(out))
        mount("-o", "remount,rw", out)
        runs.ends(out)
        assert Folder(out).digests() == whole


@pytest.mark.parametrize(
    "mark", [SEGMENTS, pytest.param("_work/shards-*/*", marks=pytest.mark.slow)]
)
def test_a_disk_is_unmounted_midway_and_no_dataset_comes_to_lie_beneath_it(
    mark: str, runs: Runs, whole: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with disk(tmp_path / "kept") as kept:
        out.mkdir()
        mount("--bind", kept, out)
        process = runs.start(out)
        wait_for(out, mark, process)
        unmount(out)
        assert "out" in runs.fails(process)
        # No more than the shard that was being written.
        assert not (out / "dataset.json").exists()
        assert [path for path in out.glob("_work/**/*") if path.is_file()] == []
        mount("--bind", kept, out)
        runs.ends(out)
        assert Folder(out).digests() == whole
        unmount(out)


@pytest.mark.parametrize(
    "mark", [pytest.param("_work/recordings/*", marks=pytest.mark.slow), SEGMENTS]
)
def test_the_inputs_disk_is_unmounted_midway_and_no_recording_is_rejected_for_it(
    mark: str, warm: WarmServer, few: Corpus, tmp_path: Path
) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    with disk(tmp_path / "kept") as kept:
        for line in Path(few.all).read_text().split('"audio_filepath": "')[1:]:
            source = Path(line.split('"', 1)[0])
            shutil.copy(source, kept / source.name)
        given.mkdir()
        mount("--bind", kept, given)
        runs = Runs(warm, str(given), tmp_path / "log")
        runs.ends(tmp_path / "undisturbed")
        process = runs.start(out)
        wait_for(out, mark, process)
        unmount(given)
        assert "unmounted" in runs.fails(process)
        assert not (out / "dataset.json").exists()
        mount("--bind", kept, given)
        runs.ends(out)
        assert Folder(out).digests() == Folder(tmp_path / "undisturbed").digests()
        unmount(given)


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True], ids=["removed", "replaced"])
def test_the_folder_is_removed_midway(
    again: bool, runs: Runs, whole: dict[str, str], tmp_path: Path
) -> None:
    out, aside = tmp_path / "out", tmp_path / "aside"
    process = runs.start(out)
    wait_for(out, SEGMENTS, process)
    out.rename(aside)
    if again:
        out.mkdir()
    runs.fails(process)
    assert not (out / "dataset.json").exists()
    assert not list(out.rglob("*.arrow"))
    if out.exists():
        shutil.rmtree(out)
    aside.rename(out)
    runs.ends(out)
    assert Folder(out).digests() == whole
