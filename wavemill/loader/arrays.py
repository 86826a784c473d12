"""Token arrays out of `.npy` members, as views of the bytes they lie in."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HEAD = 128
"""What the head of an array of a few axes fills up to (NEP 1)."""
KINDS = "uif"
"""Numbers alone: no objects, which would have to be unpickled."""


@dataclass(frozen=True)
class Form:
    """What the head of an `.npy` file says."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    count: int
    start: int
    """Where the values begin."""
    size: int
    """Of the whole file in bytes."""


def read_array(data: memoryview) -> npt.NDArray[Any]:
    """Return the array of an `.npy` file as a view of its bytes.

    Raises:
        ValueError: it is not the file of a C-ordered array of numbers, or of another length.

    """
    form = parse_head(bytes(data[:HEAD]))
    if len(data) != form.size:
        raise ValueError(f"an array of {form.size} bytes in a member of {len(data)}")
    values: npt.NDArray[Any] = np.frombuffer(data, form.dtype, form.count, form.start)
    return values.reshape(form.shape)


def parse_head(head: bytes) -> Form:
    """Read the head of an `.npy` file from its first bytes.

    Raises:
        ValueError: it is not that of a C-ordered array of numbers.

    """
    file = io.BytesIO(head)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"version {version} of the format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran or dtype.kind not in KINDS:
        raise ValueError(f"{dtype} in {'Fortran' if fortran else 'C'} order")
    count = int(np.prod(shape, dtype=np.int64))
    start = file.tell()
    return Form(dtype, shape, count, start, start + count * dtype.itemsize)
