"""What is measured of each segment while it is cut: clipping, silence and the noise under it.

All is gathered block by block, in memory that does not grow with the segment.
"""

import math

import numpy as np
import numpy.typing as npt

from wavemill.audio.stream import Block
from wavemill.records import Measures

FRAME_SECONDS = 0.02
QUIET_PEAK = 0.1
"""Below -20 dBFS nothing is taken for clipping: few steps are left there, and many are equal."""
FULL_SCALE = 1 - 2**-13
SILENCE_BELOW_LOUDEST_DB = 40.0
SILENCE_DBFS = -60.0
NOISE_QUANTILE = 0.05
MIN_SNR_DB, MAX_SNR_DB = -20.0, 100.0

_LOWEST_DB, _STEP_DB = -130.0, 0.25
_NUM_LEVELS = 600  # up to +20 dBFS
_LEVELS_DB = _LOWEST_DB + (np.arange(_NUM_LEVELS) + 0.5) * _STEP_DB
_SILENT_POWER = 10 ** (_LOWEST_DB / 10)


def count_characters(text: str | None) -> int | None:
    """Count the characters of what is said; None where that is not known."""
    return len((text or "").strip()) or None


class Meter:
    """Measures audio that comes in blocks; how it is blocked does not show.

    *Clipping*: a sample counts if it and a neighbour are both as high as the segment goes (up or
    down; at least -20 dBFS), or at full scale. So clipping is seen also where it was made softer
    later, if no more than that was done.

    *Silence*: a frame of 20 ms counts if it is 40 dB below the loudest, or below -60 dBFS.

    *SNR*: the noise's power is a low quantile of the frames' (the idea of Stahl, Fischer and
    Bippus: Quantile based noise estimation, ICASSP 2000; here over the whole band), and the
    signal's what the mean has above it. It needs pauses, and noise that does not stop in them:
    where there is no pause it is too low, of steady sound it says that all is noise.
    """

    def __init__(self, sample_rate: int) -> None:
        """Measure audio of `sample_rate` Hz."""
        self._frame_samples = max(1, round(FRAME_SECONDS * sample_rate))
        self._rest = np.zeros((0, 1), np.float32)
        self._levels = np.zeros(_NUM_LEVELS, np.int64)
        """How many frames have each power, in steps of 0.25 dB."""
        self._top = QUIET_PEAK
        self._last_at_top: npt.NDArray[np.bool_] | None = None
        """Whether the last two samples are at the top, [2, C]; None: they are not."""
        self._clipped = 0
        self._num_values = 0

    def push(self, block: Block) -> None:
        """Take a block [N, C], N >= 1."""
        self._num_values += block.size
        heights = np.abs(block)
        if heights.max() > 1:  # it is stored clipped
            block, heights = np.clip(block, -1, 1), np.minimum(heights, 1)
        self._push_clipping(heights)
        block = np.concatenate([self._rest, block]) if len(self._rest) else block
        whole = len(block) - len(block) % self._frame_samples
        if whole:
            self._push_frames(block[:whole].reshape(whole // self._frame_samples, -1))
        self._rest = block[whole:].copy()

    def finish(self) -> Measures:
        """Return what was measured."""
        if not self._levels.any():  # shorter than a frame
            self._push_frames(self._rest.reshape(1, -1))
        return Measures(
            clipping=self._clipped / self._num_values,
            silence=self._silence(),
            snr_db=self._snr_db(),
        )

    def _push_clipping(self, heights: Block) -> None:
        top = min(float(heights.max()), FULL_SCALE)
        if top > self._top:
            self._top, self._clipped, self._last_at_top = top, 0, None
        elif top < self._top:  # the common case needs no second look
            self._last_at_top = None
            return
        before = self._last_at_top
        before = np.zeros((2, heights.shape[1]), np.bool_) if before is None else before
        at_top = np.concatenate([before, heights >= self._top])
        pairs = at_top[2:] & at_top[1:-1]
        # The first of a row of k makes no pair with one before: k - 1 pairs and one beginning.
        self._clipped += int(np.count_nonzero(pairs) + np.count_nonzero(pairs & ~at_top[:-2]))
        self._last_at_top = at_top[-2:]

    def _push_frames(self, frames: Block) -> None:
        powers = np.einsum("fn,fn->f", frames, frames) / frames.shape[1]
        levels = 10 * np.log10(np.maximum(powers, _SILENT_POWER))
        steps = np.clip((levels - _LOWEST_DB) / _STEP_DB, 0, _NUM_LEVELS - 1).astype(np.int64)
        self._levels += np.bincount(steps, minlength=_NUM_LEVELS)

    def _silence(self) -> float:
        loudest_db = _LEVELS_DB[np.flatnonzero(self._levels)[-1]]
        limit_db = max(loudest_db - SILENCE_BELOW_LOUDEST_DB, SILENCE_DBFS)
        return float(self._levels[limit_db > _LEVELS_DB].sum() / self._levels.sum())

    def _snr_db(self) -> float:
        count = self._levels.sum()
        rank = math.ceil(NOISE_QUANTILE * count)
        noise_db = float(_LEVELS_DB[np.searchsorted(np.cumsum(self._levels), rank)])
        mean = float(self._levels @ 10 ** (_LEVELS_DB / 10) / count)
        signal = mean - 10 ** (noise_db / 10)
        if signal <= 0:
            return MIN_SNR_DB
        return min(max(10 * math.log10(signal) - noise_db, MIN_SNR_DB), MAX_SNR_DB)
