"""Memory for batches that is used again once nothing refers to it any more.

Fresh memory of a megabyte costs more than to write a batch to it: the system hands it out page by
page, zeroed, and takes it back as soon as it is free.
"""

import math
import sys
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

SMALLEST = 1 << 16
"""Bytes; less comes from the heap anyway."""


class Buffers(threading.local):
    """Buffers of a thread."""

    def __init__(self, kept: int) -> None:
        """Keep so many at most in each thread."""
        self._most = kept
        self._kept: list[npt.NDArray[np.uint8]] = []
        # What `getrefcount` says of a buffer that only the list holds.
        self._kept.append(np.empty(0, np.uint8))
        self._free = self._count(0)
        self._kept.clear()

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array whose values are not set, as `numpy.empty` does.

        Its memory is used again only when the array, and all views and tensors of it, are gone.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size < SMALLEST:
            return np.empty(shape, dtype)
        free = [number for number in range(len(self._kept)) if self._count(number) == self._free]
        for number in free:
            if self._kept[number].nbytes >= size:
                return _as(self._kept[number], size, shape, dtype)
        if len(self._kept) == self._most and not free:
            return np.empty(shape, dtype)
        if len(self._kept) == self._most:
            del self._kept[free[0]]
        # Somewhat larger: batches of a budget differ by a little.
        self._kept.append(np.empty(size + size // 4, np.uint8))
        return _as(self._kept[-1], size, shape, dtype)

    def _count(self, number: int) -> int:
        return sys.getrefcount(self._kept[number])


def _as(
    buffer: npt.NDArray[np.uint8], size: int, shape: tuple[int, ...], dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    return buffer[:size].view(dtype).reshape(shape)
