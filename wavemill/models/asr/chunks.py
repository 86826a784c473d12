"""Long audio in pieces that a recognizer takes, cut where it is quietest."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

FRAME_SECONDS = 0.02
QUIET_SECONDS = 0.2
"""How long it has to be quiet around a cut."""
SEARCHED = 0.25
"""Share of a piece, its last part, in which the cut is looked for."""


def chunks(blocks: Iterable[Audio], sample_rate: int, seconds: float) -> Iterator[Audio]:
    """Join blocks of audio and cut them into pieces.

    Args:
        blocks: [N] each, in order.
        sample_rate: in Hz.
        seconds: of a piece at most.

    Yields:
        Pieces [N], one or more samples each; together they are all the audio.

    """
    limit = max(round(seconds * sample_rate), 1)
    waiting: list[Audio] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        while size > limit:
            audio = np.concatenate(waiting)
            place = quietest(audio[:limit], sample_rate)
            yield audio[:place]
            waiting, size = [audio[place:]], len(audio) - place
    if size:
        yield np.concatenate(waiting)


def quietest(audio: Audio, sample_rate: int) -> int:
    """Return where in its last part audio is quietest, in samples; at its end if it is short."""
    frame = max(round(FRAME_SECONDS * sample_rate), 1)
    wide = round(QUIET_SECONDS / FRAME_SECONDS)
    first = round(len(audio) * (1 - SEARCHED))
    count = (len(audio) - first) // frame
    if count < wide:
        return len(audio)
    tail = audio[len(audio) - count * frame :].reshape(count, frame)
    power = np.einsum("tn,tn->t", tail, tail, dtype=np.float64)
    around = np.convolve(power, np.ones(wide), "valid")
    return len(audio) - count * frame + (int(around.argmin()) + wide // 2) * frame
