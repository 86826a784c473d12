"""The quick way through a tar takes those alone that the writer writes."""

import io
from pathlib import Path

import pytest

from wavemill.sharding.lint.mapped import find_members, map_file
from wavemill.sharding.tar import TarWriter, pack_index, unpack_index

KEYS = ["a", "b-1", "c"]
LINES = [b'{"n":%d}\n' % number for number in range(3)]
BODIES = [b"x" * 700, b"", b"y" * 512]


def written() -> tuple[bytes, bytes]:
    file = io.BytesIO()
    tar = TarWriter(file)
    for key, body, line in zip(KEYS, BODIES, LINES, strict=True):
        tar.add([key], npy=[body], json=[line])
    tar.finish()
    return file.getvalue(), tar.index()


TAR, INDEX = written()


def test_members_are_where_they_are() -> None:
    found = find_members(memoryview(TAR), INDEX, KEYS, "npy")
    assert found is not None
    assert list(found.data()) == BODIES
    assert found.hold(LINES)
    assert not found.hold([LINES[1], LINES[0], LINES[2]])
    assert not found.hold([*LINES[:2], LINES[2][:-1]])


def test_any_flipped_bit_is_seen_or_is_data() -> None:
    for position in range(len(TAR)):
        damaged = bytearray(TAR)
        damaged[position] ^= 1 << position % 8
        found = find_members(memoryview(bytes(damaged)), INDEX, KEYS, "npy")
        if found is not None:
            assert list(found.data()) != BODIES or not found.hold(LINES), position


def test_an_index_of_anything_else_is_not_followed() -> None:
    offsets = unpack_index(INDEX)
    for number in range(len(offsets)):
        for other in (0, 512, 511, offsets[number] + 512, len(TAR), 2**63, 2**64 - 512):
            index = pack_index([*offsets[:number], other, *offsets[number + 1 :]])
            found = find_members(memoryview(TAR), index, KEYS, "npy")
            assert (found is None) == (index != INDEX)
    assert find_members(memoryview(TAR), INDEX[:-8], KEYS, "npy") is None
    assert find_members(memoryview(TAR), INDEX[:-1], KEYS, "npy") is None


@pytest.mark.parametrize(
    "keys",
    [["a", "b-1"], ["a", "b-1", "c", "d"], ["a", "c", "b-1"], [], ["a" * 99] * 3, ["\u00e9"] * 3],
)
def test_other_keys_are_not_found(keys: list[str]) -> None:
    assert find_members(memoryview(TAR), INDEX, keys, "npy") is None
    assert find_members(memoryview(TAR), INDEX, KEYS, "flac") is None


@pytest.mark.parametrize("end", [0, 512, 1024, len(TAR) - 1024, len(TAR) - 512, len(TAR) - 1])
def test_a_tar_that_was_cut_short_is_not_taken(end: int) -> None:
    assert find_members(memoryview(TAR[:end]), INDEX, KEYS, "npy") is None


def test_a_file_of_nothing_is_mapped_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert bytes(map_file(str(tmp_path / "empty"))) == b""
