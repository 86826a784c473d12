"""Count how often each id of each codebook occurs."""

import numpy as np
import numpy.typing as npt

from wavemill.tokenizers.base import TokenizerFacts

PIECE = 1 << 18
"""Bytes that are counted at once: a call a sample would cost more than the counting."""


class IdCounter:
    """Counts the ids of token files, [Q, K]; raises ValueError for one that is out of range."""

    def __init__(self, facts: TokenizerFacts) -> None:
        """Count ids of a stream of these facts."""
        self._facts = facts
        self._dtype = facts.dtype
        self._step = facts.num_codebooks * facts.dtype.itemsize
        self._counts = np.zeros((facts.num_codebooks, facts.codebook_size), np.int64)
        self._waiting: list[memoryview] = []
        self._bytes = 0

    def add(self, npy: memoryview, num_tokens: int) -> None:
        """Add a `.npy` file of so many tokens: its ids are the last bytes of the file."""
        size = num_tokens * self._step
        self._waiting.append(npy[len(npy) - size :])
        self._bytes += size
        if self._bytes >= PIECE:
            self._flush()

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the counts so far, [Q, K]."""
        self._flush()
        return self._counts

    def _flush(self) -> None:
        ids = np.frombuffer(b"".join(self._waiting), self._dtype)
        codes = ids.reshape(-1, self._facts.num_codebooks)
        if (largest := int(ids.max(initial=0))) >= self._facts.codebook_size:
            raise ValueError(f"id {largest} of {self._facts.name} is out of range")
        for codebook in range(self._facts.num_codebooks):
            found = np.bincount(codes[:, codebook], minlength=self._facts.codebook_size)
            self._counts[codebook] += found
        self._waiting, self._bytes = [], 0
