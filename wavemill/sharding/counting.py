"""Count how often each id of each codebook occurs."""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from wavemill.packages import is_installed
from wavemill.sharding.tar import pieces
from wavemill.tokenizers.base import TokenizerFacts

PIECE = 1 << 18
"""Bytes that are counted at once: a call a sample would cost more than the counting."""
NARROW = 1 << 14
"""Where there are no more codebooks times ids, all are counted as those of one codebook."""
SERIAL = (1 << 15) - 1
"""More ids at once would torch count in threads, which wait for each other on a busy machine."""
LOADING_PAYS = 1 << 29
"""Ids after which a process has lost as much time as loading numba takes: it goes on with numba."""


class IdCounter:
    """Counts the ids of token files, [Q, K]; raises ValueError for one that is out of range.

    torch counts numbers of 16 bits in less time than numpy, which makes them 64 first; it is asked
    where the process has it: loading it would take longer than it saves. A loop that numba compiles
    takes less than half of torch's time. It is loaded, where it is installed, by processes that
    count a lot.
    """

    counted: ClassVar[int] = 0
    """Ids that this process has counted."""

    def __init__(self, facts: TokenizerFacts) -> None:
        """Count ids of a stream of these facts."""
        self._facts = facts
        self._step = facts.num_codebooks * facts.dtype.itemsize
        self._counts = np.zeros((facts.num_codebooks, facts.codebook_size), np.int64)
        self._torch = sys.modules.get("torch") if self._counts.size <= NARROW else None
        firsts = np.arange(facts.num_codebooks) * facts.codebook_size
        self._firsts = np.tile(firsts.astype(np.int16), max(SERIAL // len(firsts), 1))
        """Where each codebook's ids begin among those of all, again and again."""

    def add(self, files: Sequence[memoryview], lengths: Sequence[int]) -> None:
        """Add `.npy` files of so many tokens each: their ids are the last bytes of a file."""
        ends = np.cumsum(lengths, dtype=np.int64) * self._step
        for part in pieces(ends, PIECE):
            pairs = zip(files[part], lengths[part], strict=True)
            bodies = [npy[len(npy) - length * self._step :] for npy, length in pairs]
            self._count(np.frombuffer(b"".join(bodies), self._facts.dtype))

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the counts so far, [Q, K]."""
        return self._counts

    def _count(self, ids: npt.NDArray[Any]) -> None:
        if (largest := int(ids.max(initial=0))) >= self._facts.codebook_size:
            raise ValueError(f"id {largest} of {self._facts.name} is out of range")
        codes = ids.reshape(-1, self._facts.num_codebooks)
        IdCounter.counted += ids.size
        loop = _compiled_loop() if IdCounter.counted > LOADING_PAYS else None
        if loop is not None:
            loop(codes, self._counts)
        elif self._torch is None:
            for codebook in range(self._facts.num_codebooks):
                found = np.bincount(codes[:, codebook], minlength=self._facts.codebook_size)
                self._counts[codebook] += found
        else:
            self._count_by(self._torch, ids)

    def _count_by(self, torch: Any, ids: npt.NDArray[Any]) -> None:
        signed = ids.view(np.int16) if ids.itemsize == 2 else ids
        for start in range(0, len(ids), len(self._firsts)):
            part = signed[start : start + len(self._firsts)]
            every = torch.from_numpy(part + self._firsts[: len(part)])
            found = torch.bincount(every, minlength=self._counts.size)
            self._counts += found.numpy().reshape(self._counts.shape)


@cache
def _compiled_loop() -> Callable[..., object] | None:
    if not is_installed("numba"):
        return None
    from wavemill.sharding.counting_loop import count_ids

    return count_ids
