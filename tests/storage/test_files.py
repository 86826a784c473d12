import contextlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill import storage
from wavemill.errors import JobError


class Stop(Exception):  # noqa: N818 - it stands for a kill, not an error
    """Raised in the middle of a write."""


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path)
        return
    yield "memory://tests"
    storage.remove("memory://tests")


def names(root: str) -> list[str]:
    return [file.url.removeprefix(f"{root}/") for file in storage.list_files(root)]


def test_what_is_written_can_be_read(root: str) -> None:
    url = storage.join(root, "a/b", "c.bin")
    assert not storage.exists(url)
    storage.write_bytes(url, b"\0\1")
    assert storage.exists(url)
    assert storage.read_bytes(url) == b"\0\1"
    with storage.open_read(url) as file:
        file.seek(1)
        assert file.read() == b"\1"


def test_a_folder_that_is_never_made_does_not_begin_anew_when_it_is_gone(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    storage.never_make(str(spool))
    storage.write_bytes(f"{spool}/stage/of/unit", b"")
    spool.rename(tmp_path / "aside")
    for name in ("note", "stage/of/unit"):
        with pytest.raises(JobError, match="No such file or directory; see that the disk is"):
            storage.write_bytes(f"{spool}/{name}", b"")
    assert not spool.exists()


def test_a_write_that_fails_leaves_nothing(root: str) -> None:
    storage.write_bytes(storage.join(root, "other"), b"")
    with contextlib.suppress(Stop), storage.write_atomically(f"{root}/new") as file:
        file.write(b"half")
        raise Stop
    assert names(root) == ["other"]
    if storage.is_local(root):
        assert [path.name for path in Path(root).iterdir()] == ["other"]


def test_a_write_that_fails_leaves_the_old_content(root: str) -> None:
    url = storage.join(root, "old")
    storage.write_bytes(url, b"old")
    with contextlib.suppress(Stop), storage.write_atomically(url) as file:
        file.write(b"new and longer")
        file.flush()
        assert storage.read_bytes(url) == b"old"
        raise Stop
    assert storage.read_bytes(url) == b"old"


def test_a_file_appears_only_when_it_is_whole(root: str) -> None:
    url = storage.join(root, "x")
    with storage.write_atomically(url) as file:
        file.write(b"all")
        file.flush()
        assert not storage.exists(url)
    assert storage.read_bytes(url) == b"all"


def test_who_reads_a_file_that_is_replaced_reads_on_in_the_old_one(tmp_path: Path) -> None:
    url = str(tmp_path / "x")
    storage.write_bytes(url, b"old")
    with storage.open_read(url) as reader:
        storage.write_bytes(url, b"new")
        assert reader.read() == b"old"
    assert storage.read_bytes(url) == b"new"


def test_two_writers_of_one_file_do_not_mix(root: str) -> None:
    url = storage.join(root, "x")
    with storage.write_atomically(url) as one, storage.write_atomically(url) as other:
        one.write(b"1" * 100_000)
        other.write(b"2" * 100_000)
    assert storage.read_bytes(url) == b"1" * 100_000


def test_lines_end_in_newlines_and_keep_names_that_are_no_utf8(root: str) -> None:
    url = storage.join(root, "lines")
    storage.write_text(url, ["gr\u00fc\u00df", os.fsdecode(b"\xff.wav")])
    assert storage.read_bytes(url) == b"gr\xc3\xbc\xc3\x9f\n\xff.wav\n"


@settings(max_examples=30, deadline=None)
@given(
    st.sets(
        st.lists(st.sampled_from(["a", "b", "a.b", "A", "a b", "\u97f3"]), min_size=1, max_size=3)
        .map(lambda parts: posixpath.join(*(f"d{part}" for part in parts[:-1]), parts[-1]))
        .filter(bool),
        max_size=8,
    )
)
def test_a_memory_listing_finds_every_file_in_the_order_of_names(paths: set[str]) -> None:
    root = "memory://listing"
    storage.remove(root)
    storage.write_bytes(f"{root}/.hidden", b"")
    for path in paths:
        storage.write_bytes(f"{root}/{path}", path.encode())
    expected = sorted(paths, key=lambda path: path.split("/"))
    assert names(root) == expected
    assert [file.size for file in storage.list_files(root)] == [len(p.encode()) for p in expected]


def test_a_local_listing_is_sorted_and_leaves_hidden_files_out(tmp_path: Path) -> None:
    for path in ["b/z", "b/a", "a.wav", "c", ".hidden", ".git/x", "b/.x.part"]:
        storage.write_bytes(str(tmp_path / path), path.encode())
    assert names(str(tmp_path)) == ["a.wav", "b/a", "b/z", "c"]


def test_a_listing_gives_back_the_form_of_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(str(tmp_path / "d/a.wav"), b"1")
    monkeypatch.chdir(tmp_path)
    assert [file.url for file in storage.list_files("d")] == ["d/a.wav"]
    assert [file.url for file in storage.list_files(str(tmp_path))] == [f"{tmp_path}/d/a.wav"]
    assert storage.glob("d/*.wav") == ["d/a.wav"]
    assert storage.glob(f"{tmp_path}/d/*") == [f"{tmp_path}/d/a.wav"]
    assert storage.read_bytes(f"file://{tmp_path}/d/a.wav") == b"1"


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    storage.write_bytes(str(tmp_path / "d/a"), b"1")
    (tmp_path / "d/up").symlink_to(tmp_path)
    (tmp_path / "e").symlink_to(tmp_path / "d")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    found = {
        file.url.removeprefix(f"{tmp_path}/"): file for file in storage.list_files(f"{tmp_path}")
    }
    assert list(found) == ["d/a", "e/a", "nowhere"]
    assert found["nowhere"].version == ""
    assert found["e/a"].version == found["d/a"].version != ""


def test_a_glob_finds_sorted_files_and_folders(root: str) -> None:
    for name in ["b.wav", "a.wav", "c.txt", "d/x.wav"]:
        storage.write_bytes(storage.join(root, name), b"")
    assert storage.glob(f"{root}/*.wav") == [f"{root}/a.wav", f"{root}/b.wav"]
    assert f"{root}/d" in storage.glob(f"{root}/*")


def test_a_file_whose_name_looks_like_a_glob_is_none(tmp_path: Path) -> None:
    (tmp_path / "a[1].wav").write_bytes(b"")
    assert not storage.has_glob(str(tmp_path / "a[1].wav"))
    assert storage.has_glob(str(tmp_path / "a[2].wav"))
    assert not storage.has_glob(str(tmp_path / "plain.wav"))


def test_info_tells_files_from_folders_and_from_nothing(root: str) -> None:
    storage.write_bytes(storage.join(root, "d/a"), b"123")
    found = storage.info(storage.join(root, "d/a"))
    assert (found.size, found.is_file) == (3, True)
    assert found.version.startswith("3:")
    assert not storage.info(storage.join(root, "d")).is_file
    assert storage.is_folder(storage.join(root, "d"))
    assert not storage.is_folder(storage.join(root, "d/a"))
    with pytest.raises(FileNotFoundError):
        storage.info(storage.join(root, "gone"))


def test_a_version_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = storage.info(str(path)).version
    assert storage.info(str(path)).version == before
    os.utime(path, ns=(1, 1))
    assert storage.info(str(path)).version != before


def test_remove_takes_files_folders_and_what_is_not_there(root: str) -> None:
    for name in ["d/e/a", "d/b", "c"]:
        storage.write_bytes(storage.join(root, name), b"")
    storage.remove(storage.join(root, "d"))
    assert names(root) == ["c"]
    storage.remove(storage.join(root, "c"))
    storage.remove(storage.join(root, "c"))
    assert not storage.exists(storage.join(root, "c"))


def test_removing_a_link_leaves_what_it_points_at(tmp_path: Path) -> None:
    storage.write_bytes(str(tmp_path / "d/a"), b"")
    (tmp_path / "link").symlink_to(tmp_path / "d")
    storage.remove(str(tmp_path / "link"))
    assert names(str(tmp_path)) == ["d/a"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ["d/.x.arrow.0a1b2c3d.part", "d/x.arrow", "d/x.part", ".hidden"]:
        storage.write_bytes(str(tmp_path / name), b"")
    storage.remove_partial(str(tmp_path))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".hidden", "d/x.arrow", "d/x.part"]


def test_of_named_files_only_what_their_own_writers_left_is_removed(tmp_path: Path) -> None:
    for name in [".a.0a1b2c3d.part", ".b.0a1b2c3d.part", ".a.part", "d/.a.0a1b2c3d.part"]:
        storage.write_bytes(str(tmp_path / name), b"")
    storage.remove_partial(str(tmp_path), ["a"])
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".a.part", ".b.0a1b2c3d.part", "d/.a.0a1b2c3d.part"]


def test_a_writer_that_is_killed_leaves_only_what_remove_partial_takes(tmp_path: Path) -> None:
    writer = storage.write_atomically(str(tmp_path / "x"))
    writer.__enter__()
    (left,) = list(tmp_path.iterdir())
    assert left.name != "x"
    storage.remove_partial(str(tmp_path))
    assert not list(tmp_path.iterdir())
    with pytest.raises(JobError, match="No such file"):  # nothing is left to rename
        writer.__exit__(None, None, None)


def test_folders_are_made_where_there_are_folders(tmp_path: Path) -> None:
    storage.make_folder(str(tmp_path / "a/b"))
    storage.make_folder(str(tmp_path / "a/b"))
    storage.make_folder("memory://no/folder")
    assert (tmp_path / "a/b").is_dir()
    assert not fsspec.filesystem("memory").exists("/no/folder")


def test_an_unknown_protocol_is_a_job_error_that_names_the_url() -> None:
    with pytest.raises(JobError, match="nosuch://x"):
        storage.read_bytes("nosuch://x")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("out/", "out"), ("/", "/"), ("", ""), ("/a//", "/a"), ("s3://b/x/", "s3://b/x"),
        ("s3://", "s3://"), ("file:///a/", "/a"), ("~/a/", f"{Path.home()}/a"),
    ],
)  # fmt: skip
def test_a_folder_is_named_without_the_slash_at_its_end(written: str, url: str) -> None:
    assert storage.folder_url(written) == url


@pytest.mark.parametrize(
    ("pattern", "fixed"),
    [
        ("a/b/*.wav", "a/b"), ("*.wav", "."), ("/*.wav", "/"), ("/a/*/b.wav", "/a"),
        ("a/b.wav", "a/b.wav"), ("memory://x/*/y", "memory://x"),
    ],
)  # fmt: skip
def test_the_fixed_part_of_a_glob_is_the_folder_it_starts_from(pattern: str, fixed: str) -> None:
    assert storage.fixed_part(pattern) == fixed


def test_names_are_those_right_in_a_folder(root: str) -> None:
    for name in ["b", ".a", "d/c"]:
        storage.write_bytes(storage.join(root, name), b"")
    assert storage.list_names(root) == [".a", "b", "d"]
    assert storage.list_names(storage.join(root, "none")) == []


def test_a_listing_passes_over_a_folder_that_is_to_be_left_out(root: str) -> None:
    for name in ["a", "d/b", "d/e/c", "f/d/x"]:
        storage.write_bytes(storage.join(root, name), b"")
    left_out = storage.join(root, "d")
    found = [info.url.removeprefix(root).lstrip("/") for info in storage.list_files(root, left_out)]
    assert found == ["a", "f/d/x"]


def test_only_empty_folders_are_removed_and_none_that_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "c/theirs").mkdir(parents=True)
    storage.write_bytes(str(tmp_path / "d/file"), b"")
    named = ["a/b", "a", "c", "d", "no"]
    storage.remove_empty_folders(str(tmp_path / name) for name in named)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["c", "d", "file", "theirs"]
