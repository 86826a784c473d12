"""An open audio file, whichever library reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wavemill.errors import RejectedError
from wavemill.records import NON_FINITE, TRUNCATED, UNDECODABLE

BLOCK_SAMPLES = 1 << 17
"""How many samples of all channels a block holds at most."""

Block = npt.NDArray[np.float32]
"""Samples, [N, C] float32 in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What an audio file holds."""

    sample_rate: int
    num_channels: int
    bit_depth: int
    """16 or 24: what it takes to store the samples without loss (lossy codecs: 16)."""


class AudioStream(Protocol):
    """An open audio file."""

    info: AudioInfo

    def blocks(self) -> Iterator[Block]:
        """Yield all samples in order, once.

        Raises:
            RejectedError: the audio is empty, broken, cut short or not finite.

        """
        ...


def check_block(block: Block) -> Block:
    """Require samples that are numbers, and that can be computed with.

    Raises:
        RejectedError: there is a NaN, an infinity, or a number from some 10^17 on.

    """
    # The power is finite only if every sample is: one pass, no array of booleans, no warning.
    if not np.isfinite(np.einsum("nc,nc->", block, block)):
        raise RejectedError(NON_FINITE, "the audio holds NaN, infinite or absurdly large samples")
    return block


def cut_short(stated: int, total: int) -> RejectedError:
    """Make the error for a file that ends before it says, both in samples."""
    words = f"the header states {stated} samples, {total} can be decoded"
    return RejectedError(TRUNCATED, words)


def too_long(stated: int) -> RejectedError:
    """Make the error for a file that goes on after the number of samples that it states."""
    words = f"the header states {stated} samples, more can be decoded"
    return RejectedError(UNDECODABLE, words)
