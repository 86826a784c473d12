"""A shard's files are whole or absent, on a disk and on an object store."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from tests.sharding.drawn import make_spool, shuffled_tasks, sources_of, token_samples
from wavemill.digest import sha256
from wavemill.errors import JobError, StorageError
from wavemill.sharding.shard_files import ShardFiles, shard_files
from wavemill.sharding.writer import write_shard
from wavemill.storage.store import Store


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_noted_is_what_was_written(tmp_path: Path) -> None:
    with shard_files(str(tmp_path), "bucket-00") as files:
        files.lines("a.jsonl", [b"{}\n", b"[]\n"])
        with files.tar("a.tar") as tar:
            tar.add(["key"], npy=[b"x" * 700], json=[b"{}\n"])
    found = contents(tmp_path)
    assert [note["path"] for note in files.written] == [
        "bucket-00/a.jsonl", "bucket-00/a.tar", "bucket-00/a.tar.idx",
    ]  # fmt: skip
    assert found.keys() == {note["path"] for note in files.written}
    for note in files.written:
        data = found[note["path"]]
        assert (note["bytes"], note["sha256"]) == (len(data), sha256(data))


def test_a_file_whose_writing_fails_is_not_there(tmp_path: Path) -> None:
    def fail(files: ShardFiles) -> None:
        with files.tar("a.tar") as tar:
            tar.add(["key"], npy=[b"x" * (3 << 20)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), shard_files(str(tmp_path), "bucket-00") as files:
        fail(files)
    assert contents(tmp_path) == {}


def test_a_full_disk_is_said_though_it_shows_only_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(JobError, match="make room on the disk"),
        shard_files(str(tmp_path), "bucket-00") as files,
    ):
        files.lines("a.jsonl", [b"{}\n"])
    assert contents(tmp_path) == {}


def test_a_store_that_breaks_off_holds_no_part_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    put = Store.put

    async def broken(self: Store, path: str, file: Path) -> None:
        if path.endswith(".tar"):
            raise StorageError("the store went away")
        await put(self, path, file)

    monkeypatch.setattr(Store, "put", broken)
    with (
        pytest.raises(StorageError, match="went away"),
        shard_files("memory://broken", "bucket-00") as files,
        files.tar("a.tar") as tar,
    ):
        tar.add(["key"], npy=[b"x"])
    assert system.find("/broken") in ([], ["/broken/bucket-00/a.tar.idx"])


def test_a_store_holds_the_bytes_that_a_disk_holds(tmp_path: Path) -> None:
    samples = token_samples(300, 2.0)
    units = make_spool(samples, str(tmp_path / "spool"))
    (task,) = shuffled_tasks(units, len(samples), 1)
    sources = sources_of(str(tmp_path / "spool"), "none")
    local = write_shard(task, sources, str(tmp_path / "out"))
    system = fsspec.filesystem("memory")
    try:
        assert write_shard(task, sources, "memory://shards/out") == local
        for path, data in contents(tmp_path / "out").items():
            assert system.cat_file(f"/shards/out/{path}") == data
    finally:
        system.rm("/shards", recursive=True)


def test_many_units_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = token_samples(700, 0.5)
    units = make_spool(samples, str(tmp_path / "spool"))
    (task,) = shuffled_tasks(units, len(samples), 1)
    sources = sources_of(str(tmp_path / "spool"), "none")
    write_shard(task, sources, str(tmp_path / "one"))
    monkeypatch.setattr("wavemill.sharding.writer.OPEN_UNITS", 2)
    write_shard(task, sources, str(tmp_path / "other"))
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_files_are_closed_in_threads_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        files = ShardFiles(str(tmp_path), "bucket-00", pool)
        files.lines("a.jsonl", [b"{}\n"])
        files.wait()
        assert (tmp_path / "bucket-00" / "a.jsonl").read_bytes() == b"{}\n"
