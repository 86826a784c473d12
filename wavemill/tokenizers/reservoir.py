"""Choosing the frames to fit on."""

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
"""Features, [F, D] float32."""


class FrameReservoir:
    """An even draw of frames out of a stream of unknown length, in bounded memory.

    Vitter's algorithm R ("Random Sampling with a Reservoir", 1985): the n-th frame comes in with
    probability capacity / n. How the stream is cut into arrays makes no difference.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        """Keep at most `capacity` frames."""
        self.capacity = capacity
        self.seen = 0
        self._random = np.random.default_rng(seed)
        self._kept: list[Frames] = []
        self._full: Frames | None = None

    def add(self, frames: Frames) -> None:
        """Offer frames [F, D]."""
        room = max(0, self.capacity - self.seen)
        if room:
            self._kept.append(frames[:room].copy())
        late = frames[room:]
        if len(late):
            self._replace(late, self.seen + len(frames) - len(late))
        self.seen += len(frames)

    def _replace(self, late: Frames, before: int) -> None:
        if self._full is None:
            self._full, self._kept = np.concatenate(self._kept), []
        ordinals = np.arange(before + 1, before + len(late) + 1)
        places = (self._random.random(len(late)) * ordinals).astype(np.int64)
        taken = places < self.capacity
        # Of frames for one place the last stays, as if they had come one by one.
        self._full[places[taken]] = late[taken]

    def frames(self) -> Frames:
        """Return what was kept, [F, D] float32."""
        if self._full is not None:
            return self._full
        return np.concatenate(self._kept) if self._kept else np.zeros((0, 0), np.float32)
