"""What a job may take for its own in the output folder, and that nothing else is touched."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.conftest import SPEECH, UTTERANCES, wavemill
from wavemill import storage
from wavemill.errors import JobError, UsageError
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.outdir import check_out, clear_spool, make_room, mark

FOREIGN = ("bucket-raw/a.wav", "bucket-00/notes.txt", "bucket-99/audio.tar", ".x.0a1b2c3d.part",
           "mine/.y.0a1b2c3d.part", "shards-old/1.json", "thesis.tex")  # fmt: skip
JOB = ("--tokenizer", "mvq:refinements=0", "--shard-mb", "0.5")


@pytest.fixture(params=["local", "memory"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder that is not there yet, on a disk and on a store."""
    if request.param == "local":
        yield str(tmp_path / "out")
        return
    yield f"memory://{tmp_path.name}/out"
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def put(folder: str, *names: str) -> None:
    for name in names:
        storage.write_bytes(storage.join(folder, name), b"theirs")


def test_a_new_folder_and_one_with_hidden_files_or_logs_alone_are_free(out: str) -> None:
    check_out(out, ["in"])
    put(out, ".gitkeep", "job.log")
    check_out(out, ["in"])


@pytest.mark.parametrize("name", ["a.wav", "README.md", "bucket-00/a", "_work/a", "dataset.json"])
def test_a_folder_with_files_of_others_is_refused(out: str, name: str) -> None:
    put(out, name)
    with pytest.raises(UsageError, match="no job of wavemill wrote"):
        check_out(out, ["in"])


def test_a_folder_that_a_job_has_marked_is_ours(out: str) -> None:
    mark(out, storage.join(out, "_work"))
    put(out, "notes.txt")
    check_out(out, ["in"])


def test_a_job_killed_before_its_first_word_leaves_a_folder_that_is_ours(tmp_path: Path) -> None:
    (tmp_path / "_work").mkdir()
    check_out(str(tmp_path), ["in"])
    (tmp_path / "_work/lock").touch()
    check_out(str(tmp_path), ["in"])
    (tmp_path / "_work/.wavemill.json.0a1b2c3d.part").touch()
    check_out(str(tmp_path), ["in"])


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="is a file"):
        check_out(str(tmp_path / "x"), ["in"])


@pytest.mark.parametrize("out", ["a\0b", "a\udcffb", "a\nb"])
def test_a_name_that_cannot_be_printed_is_refused(out: str) -> None:
    with pytest.raises(UsageError, match="printable"):
        check_out(out, ["in"])


def test_links_to_nowhere_and_in_circles_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("nowhere", "circle"):
        with pytest.raises(UsageError, match="no folder"):
            check_out(str(tmp_path / name), ["in"])


def test_a_damaged_note_of_the_plan_is_an_error_with_a_remedy(out: str) -> None:
    put(out, "_work/plan.json")
    with pytest.raises(JobError, match="give the same command again"):
        make_room(out, storage.join(out, "_work"), {"plan": "1", "streams": [], "audio": True})


def test_a_spool_goes_with_its_lock_last(tmp_path: Path) -> None:
    put(str(tmp_path), "_work/a/b", "_work/lock", "_work/wavemill.json")
    clear_spool(str(tmp_path / "_work"))
    assert not list(tmp_path.iterdir())


def test_the_output_of_a_killed_job_is_no_input(tmp_path: Path) -> None:
    mark(str(tmp_path / "in/prep"), str(tmp_path / "in/prep/_work"))
    put(str(tmp_path / "in"), "prep/bucket-00/audio_000000.tar", "a.wav")
    with pytest.raises(UsageError, match="output of another job"):
        read_inputs([str(tmp_path / "in")])
    read_inputs([str(tmp_path / "in")], leave_out=str(tmp_path / "in/prep"))


@pytest.mark.parametrize("name", [".", "a.wav", "d", "*.wav", "d/**/*.wav"])
def test_an_input_inside_the_output_is_refused(tmp_path: Path, name: str) -> None:
    mark(str(tmp_path), str(tmp_path / "_work"))
    (tmp_path / "d").mkdir()
    with pytest.raises(UsageError, match="lies inside --out"):
        check_out(str(tmp_path), [str(tmp_path / name)])


def test_nothing_but_what_a_dataset_lists_is_removed_for_another_plan(out: str) -> None:
    spool = storage.join(out, "_work")
    mark(out, spool)
    listed = ["bucket-00/audio_000000.tar", "bucket-00/sharded_manifests/manifest_000000.json"]
    put(out, *listed, *FOREIGN)
    files = [{"path": path} for path in [*listed, "../x", "/etc/x", "thesis.tex", "bucket-00"]]
    storage.write_text(
        storage.join(out, "dataset.json"),
        [json.dumps({"format": "wavemill", "shards": [{"files": files}]})],
    )
    make_room(out, spool, {"plan": "1f", "streams": [], "audio": True})
    assert not any(storage.exists(storage.join(out, path)) for path in [*listed, "dataset.json"])
    assert all(storage.exists(storage.join(out, name)) for name in FOREIGN)


def test_a_job_killed_while_it_removes_still_knows_what_is_left(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = storage.join(out, "_work")
    listed = [f"bucket-00/audio_{number:06d}.tar" for number in range(3)]
    mark(out, spool)
    put(out, *listed)
    content = {"format": "wavemill", "shards": [{"files": [{"path": path} for path in listed]}]}
    storage.write_text(storage.join(out, "dataset.json"), [json.dumps(content)])
    note = {"plan": "2e", "streams": [], "audio": True}
    remove = storage.remove_files

    def killed(urls: list[str]) -> None:
        for url in urls:
            if url.endswith(listed[1]):
                raise KeyboardInterrupt
            remove([url])

    monkeypatch.setattr(storage, "remove_files", killed)
    with pytest.raises(KeyboardInterrupt):
        make_room(out, spool, note)
    monkeypatch.undo()
    assert not storage.exists(storage.join(out, "dataset.json"))
    make_room(out, spool, note)
    assert not any(storage.exists(storage.join(out, path)) for path in listed)


@pytest.mark.slow
def test_other_settings_leave_files_of_others_alone_and_no_shard_of_the_old_plan(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    first = wavemill("prepare", UTTERANCES, "--out", out, *JOB, "--buckets", 4)
    assert first.code == 0, first.err
    put(str(out), *FOREIGN)
    second = wavemill("prepare", UTTERANCES, "--out", out, *JOB, "--buckets", 2, "--clean")
    assert second.code == 0, second.err
    third = wavemill("prepare", UTTERANCES, "--out", out, *JOB, "--buckets", 1)
    assert third.code == 0, third.err
    assert all((out / name).read_bytes() == b"theirs" for name in FOREIGN)
    names = {path.name for path in out.iterdir() if path.is_dir()}
    assert names == {"bucket-00", "bucket-01", "bucket-99", "bucket-raw", "_work", "mine",
                     "shards-old"}  # fmt: skip
    (out / "bucket-00/notes.txt").unlink()
    for path in (out / "bucket-99").iterdir():
        path.unlink()
    (out / "bucket-99").rmdir()
    done = wavemill("lint", out)
    assert done.code == 0, done.out


@pytest.mark.parametrize("given", ["", "/"])
def test_an_output_that_names_nothing_or_everything_is_refused(tmp_path: Path, given: str) -> None:
    done = wavemill("prepare", UTTERANCES, "--out", given, cwd=tmp_path)
    assert done.code == 2
    assert "--out" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given",
    [
        "in",
        "in/**",
        *(pytest.param(g, marks=pytest.mark.slow) for g in ("in/*", "in/**/*.tar", ".")),
    ],
)
def test_an_output_among_the_inputs_is_passed_over(tmp_path: Path, given: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    sources = sorted((SPEECH / "audio").glob("*.flac"))[:2]
    subprocess.run(["cp", *sources, folder], check=True)
    subprocess.run(["tar", "-cf", folder / "three.tar", "-C", SPEECH / "audio", "sorry.flac"],
                   check=True)  # fmt: skip
    counts = []
    for _ in range(2):
        done = wavemill("prepare", given, "--out", "in/out", "--json", cwd=tmp_path)
        assert done.code == 0, done.err
        counts.append(done.json["segments"])
    assert counts[0] == counts[1] == (1 if given.endswith(".tar") else 3)
