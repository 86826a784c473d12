"""`fixed:SECONDS`: pieces of equal length; the last one of a recording is what remains."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from wavemill.errors import UsageError
from wavemill.pipelines.segmenters.base import MAX_SECONDS, OpenAudio, piece_of
from wavemill.records import Recording, Span

SHORTEST_SECONDS = 0.01


@dataclass(frozen=True, kw_only=True)
class FixedConfig:
    """How long the pieces are."""

    seconds: float

    def __post_init__(self) -> None:
        """Check the length."""
        if not SHORTEST_SECONDS <= self.seconds <= MAX_SECONDS:
            raise UsageError(
                f"--segment fixed:{self.seconds}: give a length of at least {SHORTEST_SECONDS} s"
                f" and at most {MAX_SECONDS} s"
            )


class FixedSegmenter:
    """Cuts pieces of equal length."""

    stated = False
    numbered = True

    def __init__(self, config: FixedConfig) -> None:
        """Take the settings."""
        self._seconds = config.seconds

    def spans(self, recording: Recording, open_audio: OpenAudio) -> Iterable[Span]:
        """Return pieces until the window ends, or without end; see `Segmenter.spans`."""
        del open_audio
        return self._pieces(recording)

    def _pieces(self, recording: Recording) -> Iterator[Span]:
        window = recording.window
        limit = window.duration_seconds if recording.explicit_window else None
        for number in count():
            # A product, not a running sum: pieces an hour in still start on their exact sample.
            begin, end = number * self._seconds, (number + 1) * self._seconds
            if limit is not None and limit - begin <= 1e-9:
                return
            start = window.start_seconds + begin
            # A difference, not the length: a piece ends on the very sample that the next starts on.
            stop = window.start_seconds + (end if limit is None else min(end, limit))
            yield piece_of(window, start, stop - start)
