"""What the tar writer writes is read back, and nothing else is."""

import io
import tarfile

import pytest

from wavemill.sharding.tar import TarWriter, header
from wavemill.sharding.untar import Member, read_members


def written(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    tar = TarWriter(file)
    for name, data in members:
        key, extension = name.split(".")
        tar.add([key], **{extension: [data]})
    tar.finish()
    return file.getvalue()


def read(data: bytes) -> list[Member]:
    return list(read_members(io.BytesIO(data), len(data)))


TAR = written(("a.flac", b"x" * 513), ("a.json", b"{}\n"), ("b.flac", b""))


def test_members_come_back_with_their_places() -> None:
    assert read(TAR) == [
        Member("a.flac", 0, b"x" * 513),
        Member("a.json", 1536, b"{}\n"),
        Member("b.flac", 2560, b""),
    ]
    assert read(written()) == []


def test_every_flipped_bit_is_found_or_is_data() -> None:
    for position in range(0, len(TAR), 3):
        damaged = bytearray(TAR)
        damaged[position] ^= 1
        is_data = 512 <= position < 1025 or 2048 <= position < 2051
        try:
            found = read(bytes(damaged))
        except ValueError:
            assert not is_data
        else:
            assert is_data
            assert found != read(TAR)


def test_a_tar_of_another_writer_is_refused() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.flac"))
    with pytest.raises(ValueError, match="at byte 0"):
        read(file.getvalue())


@pytest.mark.parametrize("end", [0, 100, 512, 700, 1025, len(TAR) - 1])
def test_a_tar_that_was_cut_short_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="byte"):
        read(TAR[:end])


def test_a_size_is_not_believed_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="beyond the end"):
        read(header("a.flac", 8**11 - 1) + bytes(512))
