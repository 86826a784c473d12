"""The sound of a room: decaying noise after the direct sound (Polack's model).

H. Kuttruff, *Room Acoustics*, chapter 4: late reverberation is noise whose level falls by 60 dB in
the reverberation time. Sounds made here last no longer than the clip, and are as loud as it.
"""

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.functional import fftconvolve

Audio = npt.NDArray[np.float32]

DIRECT_TO_REVERBERANT_DB = 0.0
"""The direct sound has as much energy as all that comes after it."""
GAP_SECONDS = 0.002
"""After which the first echoes come."""


def reverberate(clip: Audio, sample_rate: int, seconds: float, draw: np.random.Generator) -> Audio:
    """Put a clip into a room.

    Args:
        clip: [N].
        sample_rate: in Hz.
        seconds: in which the room's sound falls by 60 dB.
        draw: what the room is drawn by.

    """
    room = response(sample_rate, seconds, draw)
    heard = fftconvolve(torch.from_numpy(clip), torch.from_numpy(room)).numpy()[: len(clip)]
    before, after = np.linalg.norm(clip), np.linalg.norm(heard)
    as_loud: npt.NDArray[np.float32] = (heard * (before / after if after else 1.0)).astype(
        np.float32
    )
    return as_loud


def response(sample_rate: int, seconds: float, draw: np.random.Generator) -> Audio:
    """Draw the impulse response of a room, whose first sample is the direct sound, [M]."""
    length = max(round(seconds * sample_rate), 2)
    times = np.arange(length) / sample_rate
    tail = draw.standard_normal(length) * 10 ** (-3 * times / seconds)
    tail[: max(round(GAP_SECONDS * sample_rate), 1)] = 0
    energy = np.linalg.norm(tail)
    tail *= 10 ** (-DIRECT_TO_REVERBERANT_DB / 20) / energy if energy else 0.0
    tail[0] = 1.0
    return tail.astype(np.float32)
