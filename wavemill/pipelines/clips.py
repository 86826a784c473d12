"""The audio of any input as mono clips, for what is fitted to a corpus before it is prepared."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wavemill.audio import mono_blocks, open_recording
from wavemill.errors import RejectedError
from wavemill.pipelines.ingest import read_inputs
from wavemill.records import Recording

CLIP_SECONDS = 60


class Clips:
    """Yields mono clips of at most about a minute, in the order of the input."""

    def __init__(self, inputs: Sequence[str], sample_rate: int) -> None:
        """Read `inputs`, as `prepare` takes them, at `sample_rate` Hz."""
        self._inputs = inputs
        self._rate = sample_rate
        self.seconds = 0.0
        """Of audio, so far."""
        self.rejected = 0
        """Recordings that could not be used, so far."""

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for row in read_inputs(self._inputs):
            if not isinstance(row, Recording):
                self.rejected += 1
                continue
            try:
                yield from self._clips(row)
            except RejectedError:
                self.rejected += 1

    def _clips(self, recording: Recording) -> Iterator[npt.NDArray[np.float32]]:
        waiting: list[npt.NDArray[np.float32]] = []
        size = 0
        with opened(recording, self._rate) as blocks:
            for block in blocks:
                waiting.append(block)
                size += len(block)
                if size >= CLIP_SECONDS * self._rate:
                    yield self._join(waiting)
                    waiting, size = [], 0
        if size:
            yield self._join(waiting)

    def _join(self, blocks: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        clip = np.concatenate(blocks)
        self.seconds += len(clip) / self._rate
        return clip


@contextlib.contextmanager
def opened(recording: Recording, sample_rate: int) -> Iterator[Iterator[npt.NDArray[np.float32]]]:
    """Open a recording as blocks of mono audio at a rate, of the part that its row speaks of.

    Raises:
        RejectedError: it cannot be used; also while blocks are read.

    """
    window = recording.window
    with open_recording(recording) as stream:
        yield mono_blocks(
            stream,
            sample_rate,
            start_seconds=window.start_seconds,
            limit_seconds=window.duration_seconds if recording.explicit_window else None,
            channels=window.channels,
        )
