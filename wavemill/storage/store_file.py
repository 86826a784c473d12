"""A file on a store that reads like one on a disk: in any order, and on where the store falters."""

import io
from typing import Any, BinaryIO, cast

from wavemill.storage.asking import ask, store_of
from wavemill.storage.store import Head

FIRST_BYTES = 512 << 10
"""Read at once where a file is opened, and after a leap: most clips are no larger."""
MAX_STEP = 8 << 20
"""Read at once at most, by who reads on."""
KEPT = 3
"""Stretches that are kept: the beginning, and where decoders go back to."""
BUFFER = 64 << 10


def open_store_file(url: str) -> BinaryIO:
    """Open a file on a store.

    Raises:
        OSError: it is not there, or refused.
        StorageError: the store cannot be asked.

    """
    store, _ = store_of(url)
    if not store.is_ranged:
        # As fsspec opens it; of HTTP it knows which server gives ranges.
        return cast("BinaryIO", ask(url, "read", lambda store, path: store.open(path)))
    raw = StoreFile(url, ask(url, "read", lambda store, path: store.head(path, FIRST_BYTES)))
    return cast("BinaryIO", io.BufferedReader(raw, BUFFER))


class StoreFile(io.RawIOBase):
    """A file whose beginning was read. Not for several threads at once."""

    def __init__(self, url: str, head: Head) -> None:
        """Read the file of that version."""
        super().__init__()
        self._url, self._size, self._version = url, head.size, head.version
        self._place = 0
        self._step = FIRST_BYTES
        self._kept = [(0, head.data)] if head.data else []

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, which may lie behind the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"{start + offset} is no place in a file")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one stretch goes."""
        if self._place >= self._size:
            return 0
        start, data = self._stretch(len(buffer))
        found = data[self._place - start :][: len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

    def readall(self) -> bytes:
        """Read on to the end."""
        data = bytearray(max(0, self._size - self._place))
        view = memoryview(data)
        while view:
            view = view[self.readinto(view) :]
        return bytes(data)

    def close(self) -> None:
        """Forget what was read."""
        self._kept = []
        super().close()

    def _stretch(self, wanted: int) -> tuple[int, memoryview]:
        """Return where a stretch begins that holds the place, and its bytes."""
        for start, data in self._kept:
            if start <= self._place < start + len(data):
                return start, memoryview(data)
        start = self._place
        follows = any(start == first + len(data) for first, data in self._kept)
        self._step = min(2 * self._step, MAX_STEP) if follows else FIRST_BYTES
        end = min(self._size, start + max(self._step, min(wanted, MAX_STEP)))
        data = ask(
            self._url, "read", lambda store, path: store.read(path, start, end, self._version)
        )
        self._kept = [*self._kept[-KEPT + 1 :], (start, data)]
        return start, memoryview(data)
