"""Ids of up to some 100 million rows: digests in memory, the ids themselves on disk."""

import json
import tempfile
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from wavemill.sharding.draw import Keys, mix

WORD = 8
"""Bytes that a digest takes at a time."""


def digest_ids(ids: Any) -> Keys:
    """Digest ids, an array of `large_string`, to 64 bits each, [N]; alike on every machine."""
    data, starts, lengths = _parts(ids)
    padded = np.concatenate([data, np.zeros(WORD, np.uint8)])
    # Eight bytes from any place on, without a copy.
    words = np.ndarray((len(padded) - WORD + 1,), "<u8", padded, strides=(1,))
    digests = mix(lengths.astype(np.uint64), 0)
    rows = np.flatnonzero(lengths > 0)
    done = 0
    while len(rows):
        taken = words[starts[rows] + done]
        beyond = np.maximum(WORD - (lengths[rows] - done), 0).astype(np.uint64) * np.uint64(8)
        taken = taken << beyond
        digests[rows] = mix(digests[rows] ^ taken, 1 + done)
        done += WORD
        rows = rows[lengths[rows] > done]
    return digests


def _parts(ids: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return an array's bytes, and where each value begins and how long it is."""
    _, offsets_buffer, data_buffer = ids.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[ids.offset : ids.offset + len(ids) + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    return data, offsets[:-1], np.diff(offsets)


def to_json_text(ids: Any) -> Any:
    """Write each id as JSON does, as an array of `large_string`."""
    data, starts, lengths = _parts(ids)
    own = data[starts[0] : starts[-1] + lengths[-1]] if len(ids) else data[:0]
    if ((own < 32) | (own == ord('"')) | (own == ord("\\"))).any():
        return pa.array([json.dumps(name, ensure_ascii=False) for name in ids.to_pylist()],
                        pa.large_string())  # fmt: skip
    quote = pa.scalar('"', pa.large_string())
    return pa.compute.binary_join_element_wise(quote, ids, quote, pa.scalar("", pa.large_string()))


class IdSpool:
    """Ids as JSON text in temporary files, looked up by position."""

    def __init__(self) -> None:
        """Open the files; they have no names, and go with the process."""
        self._data = tempfile.TemporaryFile()  # noqa: SIM115
        self._offsets = tempfile.TemporaryFile()  # noqa: SIM115
        for file in (self._data, self._offsets):
            weakref.finalize(self, file.close)
        self._end = 0
        self._offsets.write(np.zeros(1, np.int64).tobytes())

    def add(self, ids: Any) -> None:
        """Append ids, an array of `large_string`."""
        data, starts, lengths = _parts(to_json_text(ids))
        if len(ids):
            self._data.write(data[starts[0] : starts[-1] + lengths[-1]].tobytes())
        ends = self._end + np.cumsum(lengths)
        self._offsets.write(ends.tobytes())
        self._end = int(ends[-1]) if len(ends) else self._end

    def mapped(self) -> Any:
        """Return all ids as one array of `large_string`, mapped, not read."""
        self._data.flush()
        self._offsets.flush()
        offsets = np.memmap(self._offsets, np.int64, mode="r")
        data = np.memmap(self._data, np.uint8, mode="r") if self._end else np.zeros(0, np.uint8)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
