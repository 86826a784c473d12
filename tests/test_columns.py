from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.columns import Column, on_disk, sorted_pieces
from wavemill.errors import JobError

NUMBERS = st.integers(-5, 5) | st.integers(-(2**62), 2**62)


@settings(deadline=None)
@given(st.lists(st.lists(NUMBERS, max_size=20), max_size=12), st.integers(1, 40))
def test_pieces_are_sorted_as_all_of_them_at_once(pieces: list[list[int]], at_once: int) -> None:
    arrays = [np.array(piece, np.int64) for piece in pieces]
    found = [value for piece in sorted_pieces(arrays, at_once) for value in piece.tolist()]
    assert found == sorted(value for piece in pieces for value in piece)


def test_no_sorted_piece_is_much_larger_than_was_asked_for() -> None:
    dice = np.random.default_rng(0)
    pieces = [np.round(dice.lognormal(0, 1, 500), 2) for _ in range(100)]
    pieces[50:] = [np.full(500, 7.0)] * 50
    assert max(map(len, sorted_pieces(pieces, 1000))) <= 2000


def test_a_column_gives_what_was_added() -> None:
    column = Column(np.float32)
    assert column.array().tolist() == []
    column.add([1, 2])
    column.add(np.zeros(0))
    column.add(np.array([3.5]))
    assert column.array().tolist() == [1, 2, 3.5]
    assert len(column) == 3
    column.add([4])
    assert column.array().tolist() == [1, 2, 3.5, 4]


def test_bytes_and_flags_come_back_as_they_were() -> None:
    names = [np.array([b"ab", b"c"]), np.array([b"d"])]
    assert on_disk(names, "S4").tolist() == [b"ab", b"c", b"d"]
    assert on_disk([np.array([True, False])], np.bool_).tolist() == [True, False]


def test_a_full_disk_is_told_in_a_line_with_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = Column(np.int64)
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(column, "_file", full)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(JobError, match=rf"{tmp_path} \(TMPDIR\): .*make room"):
            column.add([1])
