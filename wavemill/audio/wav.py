"""WAV files that are written block by block, to a pipe, too."""

import wave
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

FULL_SCALE = 32_767
MOST_SAMPLES = (2**32 - 64) // 2


def write_wav(
    file: BinaryIO, blocks: Iterable[npt.NDArray[np.float32]], rate: int, samples: int
) -> None:
    """Write mono audio as 16 bit PCM; nothing is sought, so the file may be a pipe.

    Args:
        file: written from where it stands.
        blocks: each [N], -1 to 1; louder samples are clipped. What is over `samples` is cut off.
        rate: in Hz.
        samples: how many there are, at least; the header, which comes first, says so.

    Raises:
        ValueError: they are more than the format can tell of, or the blocks have fewer.

    """
    if samples > MOST_SAMPLES:
        raise ValueError(f"{samples:,} samples are too many for a WAV file")
    left = samples
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.setnframes(samples)
        for block in blocks:
            whole = np.rint(np.clip(block[:left], -1, 1) * FULL_SCALE).astype("<i2")
            written.writeframesraw(whole.tobytes())
            left -= len(whole)
            file.flush()
            if not left:
                break
        if left:
            raise ValueError(f"{left:,} of {samples:,} samples are missing")
