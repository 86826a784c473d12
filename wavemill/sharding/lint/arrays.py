"""Read token arrays strictly: no header but the writer's own is looked into."""

import io
import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.tokenizers.base import TokenizerFacts

TIMES_SLACK = 0.05
"""Seconds by which the end of a clip and of a token may differ: resampling rounds."""
NPY = re.compile(
    rb"\x93NUMPY\x01\x00(..)(\{'descr': '[|<](u[12])', 'fortran_order': False,"
    rb" 'shape': \((\d{1,12}), (\d{1,12})\), \} *\n)",
    re.DOTALL,
)


def read_codes(data: bytes, facts: TokenizerFacts) -> npt.NDArray[Any] | str:
    """Return the ids [T, Q] of a `.npy` file, or why they are not a stream's of these facts."""
    head = NPY.match(data)
    if head is None or int.from_bytes(head[1], "little") != len(head[2]):
        return "no array of ids as wavemill writes them"
    dtype, shape = np.dtype(head[3].decode()), (int(head[4]), int(head[5]))
    empty = not shape[0] and facts.frame_rate is not None
    if dtype != facts.dtype or shape[1] != facts.num_codebooks or empty:
        return f"{dtype} {shape} is not its facts' {facts.dtype} [T, {facts.num_codebooks}]"
    if len(data) - head.end() != shape[0] * shape[1] * dtype.itemsize:
        return f"no array: {len(data) - head.end()} bytes of ids for a shape of {shape}"
    codes = np.frombuffer(data, dtype, offset=head.end()).reshape(shape)
    if (largest := int(codes.max(initial=0))) >= facts.codebook_size:
        return f"id {largest} is out of range"
    return codes


def times_problem(data: bytes, num_tokens: int, seconds: float) -> str | None:
    """Say why a `.npy` file is not the times [T, 2] of so many tokens of a clip."""
    head = npy_head((num_tokens, 2))
    if data[: len(head)] != head or len(data) != len(head) + num_tokens * 8:
        return f"no array of {num_tokens} times as wavemill writes them"
    times = np.frombuffer(data, "<f4", offset=len(head)).reshape(-1, 2)
    if not times_rise(times, np.array([num_tokens]), np.array([seconds])):
        return f"times that do not rise from 0 to the clip's {seconds:.3f} s"
    return None


def times_rise(
    times: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]
) -> bool:
    """Say whether times [T, 2] of clips of so many tokens [N] and seconds [N] rise within each."""
    starts, ends = times.T
    begins = np.zeros(len(times), bool)  # a clip's first token follows none
    begins[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
    rising = (starts >= 0) & (ends >= starts) & (ends <= np.repeat(seconds, lengths) + TIMES_SLACK)
    return bool(rising.all() and (begins[1:] | (np.diff(starts) >= 0)).all())


@lru_cache(maxsize=4096)
def npy_head(shape: tuple[int, int], dtype: str = "<f4") -> bytes:
    """Return the header that the writer gives to arrays of a shape."""
    buffer = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()
