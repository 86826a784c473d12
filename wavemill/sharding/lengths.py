"""How long each sample of a shard is: what a loader plans an epoch from, without opening a tar."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.sharding import layout

Lengths = npt.NDArray[np.void]
"""A row a sample, [N]; fields as `lengths_dtype` names them."""


def lengths_dtype(streams: Sequence[str]) -> np.dtype[np.void]:
    """Return the type of a row: `seconds`, then for each token stream its tokens."""
    tokens = [(layout.tokens_field(stream), "<u4") for stream in streams]
    return np.dtype([(layout.SECONDS, "<f8"), *tokens])


def make_lengths(seconds: Sequence[float], tokens: Mapping[str, Sequence[int]]) -> Lengths:
    """Put the lengths of a shard's samples together.

    Args:
        seconds: of audio, [N].
        tokens: steps of time, [N], by the name of the stream.

    """
    made = np.zeros(len(seconds), lengths_dtype(list(tokens)))
    made[layout.SECONDS] = seconds
    for stream, lengths in tokens.items():
        made[layout.tokens_field(stream)] = lengths
    return made


def pack_lengths(lengths: Lengths) -> bytes:
    """Write lengths as a `.npy` file."""
    return _head(lengths.dtype, len(lengths)) + lengths.tobytes()


def read_lengths(data: bytes, streams: Sequence[str], samples: int) -> Lengths:
    """Read what `pack_lengths` wrote; no other header is looked into.

    Args:
        data: the file.
        streams: the names of the dataset's token streams, in order.
        samples: how many the shard holds.

    Returns:
        A row a sample, [N], that cannot be written to.

    Raises:
        ValueError: they are not the lengths of so many samples of these streams.

    """
    dtype = lengths_dtype(streams)
    head = _head(dtype, samples)
    if not data.startswith(head):
        words = f"{samples} samples, with the fields {', '.join(dtype.names or ())}"
        raise ValueError(f"no lengths of {words}, as wavemill writes them")
    if len(data) != len(head) + samples * dtype.itemsize:
        words = f"{len(data) - len(head)} bytes of lengths"
        raise ValueError(f"{words} for {samples} samples of {dtype.itemsize}")
    return np.frombuffer(data, dtype, offset=len(head))


def _head(dtype: np.dtype[Any], samples: int) -> bytes:
    """Return what comes before the rows, as `numpy.save` writes it."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    about = {"descr": descr, "fortran_order": False, "shape": (samples,)}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()
