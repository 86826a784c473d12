"""The recognizer contract: facts, and `hear`.

A recognizer is deterministic, and what it hears in a clip does not depend on the clips before it:
clips are heard one by one. Instances are not thread-safe; each worker builds its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wavemill.models.asr.chunks import chunks
from wavemill.models.asr.hypotheses import Transcript, join

Clip = npt.NDArray[np.float32]
"""Mono audio, [N] in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class RecognizerFacts:
    """What has to be known of a recognizer."""

    name: str
    """In the table."""
    sample_rate: int
    """Of the audio that it hears, in Hz."""
    digest: str
    """Changes when what is heard can: of the weights and of every setting."""
    draws: bool = False
    """Whether what is heard depends on the seed of the request."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked about a clip."""

    count: int
    """Different hypotheses that are wanted. More should come: some read alike once normalised."""
    language: str | None = None
    """What is spoken, as far as it is known: a code (`en`, `en-US`) or an English name."""
    seed: int = 0
    """For what is drawn; it is the utterance's own."""


class Recognizer(Protocol):
    """Says what may have been said."""

    facts: RecognizerFacts

    def hear(self, clip: Clip, request: Request) -> Iterator[Transcript]:
        """Yield what may have been said in a clip, the best first; texts may come again.

        The caller takes as many as it needs. Where nothing was heard, nothing comes.

        Args:
            clip: [N] float32 at `facts.sample_rate`; N >= 1.
            request: what is wanted.

        Raises:
            RejectedError: this clip cannot be heard.

        """
        ...


def in_pieces(
    clip: Clip,
    sample_rate: int,
    seconds: float,
    count: int,
    hear: Callable[[Clip], Iterator[Transcript]],
) -> Iterator[Transcript]:
    """Hear a clip that may be longer than a recognizer takes at once.

    It is cut where it is quietest; of the pieces' hypotheses the best combinations come.

    Args:
        clip: [N].
        sample_rate: in Hz.
        seconds: of a piece at most.
        count: hypotheses that are taken of each piece, where there are several.
        hear: yields what may have been said in a piece, the best first.

    """
    pieces = list(chunks([clip], sample_rate, seconds))
    if len(pieces) == 1:
        yield from hear(pieces[0])
        return
    heard = [list(islice(hear(piece), count)) for piece in pieces]
    yield from join([part for part in heard if part], count)
