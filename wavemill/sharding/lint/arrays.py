"""Read token arrays strictly: no header but the writer's own is looked into."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.tokenizers.base import TokenizerFacts

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
    if dtype != facts.dtype or shape[1] != facts.num_codebooks or not shape[0]:
        return f"{dtype} {shape} is not its facts' {facts.dtype} [T, {facts.num_codebooks}]"
    if len(data) - head.end() != shape[0] * shape[1] * dtype.itemsize:
        return f"no array: {len(data) - head.end()} bytes of ids for a shape of {shape}"
    codes = np.frombuffer(data, dtype, offset=head.end()).reshape(shape)
    if (largest := int(codes.max())) >= facts.codebook_size:
        return f"id {largest} is out of range"
    return codes
