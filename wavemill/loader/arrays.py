"""Token arrays out of `.npy` members, as views of the bytes they lie in."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HEAD = 128
"""What the head of an array of a few axes fills up to (NEP 1)."""
_MAGIC = b"\x93NUMPY\x01\x00"
_HEAD = re.compile(
    # Numbers alone: no objects, which would have to be unpickled.
    re.escape(_MAGIC) + rb"(?P<length>..){'descr': '(?P<dtype>[<|][uif][1248])', "
    rb"'fortran_order': False, 'shape': \((?P<shape>\d{1,18}(, \d{1,18}){0,3},?)\), } *\n",
    re.DOTALL,
)


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

    Not with numpy's reader: that goes through Python's `ast`, which fails at times in threads
    (https://github.com/python/cpython/issues/106905).

    Raises:
        ValueError: it is not that of a C-ordered array of numbers, as numpy writes it.

    """
    found = _HEAD.match(head)
    if not found or found.end() != len(_MAGIC) + 2 + int.from_bytes(found["length"], "little"):
        raise ValueError("no head of a C-ordered array of numbers, as numpy writes it")
    dtype = np.dtype(found["dtype"].decode())
    shape = tuple(map(int, found["shape"].rstrip(b",").split(b", ")))
    count = math.prod(shape)
    return Form(dtype, shape, count, found.end(), found.end() + count * dtype.itemsize)
