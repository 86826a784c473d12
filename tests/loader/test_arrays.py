import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wavemill.loader.arrays import HEAD, parse_head, read_array

NUMBERS = st.sampled_from([np.uint8, np.uint16, np.int32, np.int64, np.float32, np.float64])
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)


def saved(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@given(NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_arrays_are_read_as_numpy_wrote_them(array: Any) -> None:
    read = read_array(memoryview(saved(array)))
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "data",
    [
        saved(np.array([{}], object), allow_pickle=True),
        saved(np.asfortranarray(np.ones((3, 4)))),
        saved(np.ones(3, ">u2")),
        saved(np.ones(3, [("a", "<u2")])),
        saved(np.ones(3, "<U4")),
        saved(np.ones((2, 3), np.uint16))[:-1],
        saved(np.ones((2, 3), np.uint16)) + b"x",
        saved(np.ones((2, 3), np.uint16)).replace(b"(2, 3)", b"(3, 3)"),
        saved(np.ones((2, 3), np.uint16)).replace(b"(2, 3)", b"(-2,3)"),
        saved(np.ones((2, 3), np.uint16)).replace(b"\x01\x00v", b"\x01\x00w"),
        b"",
        b"\x93NUMPY",
    ],
)
def test_what_is_no_array_of_numbers_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"array|bytes"):
        read_array(memoryview(data))


@given(st.binary(max_size=200), st.integers(0, HEAD), st.integers(0, 255))
def test_damaged_heads_are_refused_and_never_crash(noise: bytes, place: int, value: int) -> None:
    head = bytearray(saved(np.ones((2, 3), np.uint16))[:HEAD])
    head[place % HEAD] = value
    for data in (noise, bytes(head)):
        try:
            form = parse_head(data)
        except ValueError:
            continue
        assert form.start == HEAD
        assert form.count >= 0
