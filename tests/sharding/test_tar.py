import io
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.digest import sha256
from wavemill.sharding.tar import MAX_SIZE, TarWriter, header, pack_index, padding, unpack_index

KEYS = st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True)
MEMBERS = st.lists(
    st.tuples(st.sampled_from(["flac", "npy", "json"]), st.binary(max_size=1500)),
    min_size=1,
    max_size=3,
    unique_by=lambda member: member[0],
)
SAMPLES = st.lists(st.tuples(KEYS, MEMBERS), max_size=6)
Samples = Sequence[tuple[str, Sequence[tuple[str, bytes | memoryview]]]]


def write(samples: Samples) -> tuple[bytes, TarWriter]:
    file = io.BytesIO()
    tar = TarWriter(file)
    for key, members in samples:
        tar.add([key], **{extension: [data] for extension, data in members})
    tar.finish()
    return file.getvalue(), tar


@settings(deadline=None)
@given(SAMPLES)
def test_tarfile_reads_the_same_names_and_data_in_the_same_order(samples: Samples) -> None:
    data, _ = write(samples)
    expected = [(f"{key}.{ext}", body) for key, members in samples for ext, body in members]
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            body = tar.extractfile(member)
            assert body is not None
            found.append((member.name, body.read()))
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
            assert member.isreg()
    assert found == expected


@settings(deadline=None)
@given(SAMPLES)
def test_the_index_points_at_every_sample_and_the_end(samples: Samples) -> None:
    data, tar = write(samples)
    *offsets, size = unpack_index(tar.index())
    assert size == tar.size == len(data)
    assert tar.sha256 == sha256(data)
    assert len(offsets) == len(samples)
    for offset, (key, members) in zip(offsets, samples, strict=True):
        with tarfile.open(fileobj=io.BytesIO(data[offset:]), mode="r:") as rest:
            first = rest.next()
        assert first is not None
        assert first.name == f"{key}.{members[0][0]}"
        assert first.size == len(members[0][1])


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9_.@-]{1,100}", fullmatch=True), st.integers(0, MAX_SIZE))
def test_a_header_holds_any_name_and_size_under_a_right_checksum(name: str, size: int) -> None:
    member = tarfile.TarInfo.frombuf(header(name, size), "ascii", "strict")
    assert (member.name, member.size) == (name, size)


@pytest.mark.parametrize(("name", "size"), [("a" * 101, 1), ("a", MAX_SIZE + 1)])
def test_what_a_header_cannot_hold_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="name over 100 or size over 8 GiB"):
        header(name, size)


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_padding_fills_whole_blocks(size: int) -> None:
    fill = padding(size)
    assert (size + len(fill)) % 512 == 0
    assert len(fill) < 512


def test_views_of_memory_are_written_as_bytes_are() -> None:
    body = bytes(range(256)) * 5
    assert write([("k", [("npy", memoryview(body))])])[0] == write([("k", [("npy", body)])])[0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1)))
def test_an_index_comes_back_as_it_was(offsets: list[int]) -> None:
    packed = pack_index(offsets)
    assert len(packed) == 8 * len(offsets)
    assert unpack_index(packed) == offsets


def test_an_index_is_little_endian_and_whole() -> None:
    assert pack_index([1]) == b"\1" + bytes(7)
    with pytest.raises(ValueError, match="7 bytes"):
        unpack_index(bytes(7))
