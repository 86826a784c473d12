"""The segmenter contract: which stretches of a recording become segments."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from wavemill.audio import AudioStream
from wavemill.records import Recording, Span

OpenAudio = Callable[[], AbstractContextManager[AudioStream]]


class Segmenter(Protocol):
    """Chooses spans. Instances are not thread-safe; each worker builds its own."""

    stated: bool
    """True where spans repeat what the input says: one that lies past the end is then rejected."""
    numbered: bool
    """True where a recording may give several segments: their ids then end in `@0000`."""

    def spans(self, recording: Recording, open_audio: OpenAudio) -> Iterable[Span]:
        """Return spans in the order of their starts, in seconds from the file's start.

        Args:
            recording: what is known without its audio.
            open_audio: opens the audio, for a segmenter that has to listen to it.

        Returns:
            Spans; may be endless for a segmenter that cuts on until the audio ends.

        Raises:
            RejectedError: there is nothing to cut out.

        """
        ...


def piece_of(window: Span, start_seconds: float, duration_seconds: float) -> Span:
    """Make a span within a window that keeps what holds for any part of it.

    Language, speaker and plain custom values do; the text and whatever has a structure (words
    with times, say) speak of the whole and would be wrong for a part.
    """
    plain: Mapping[str, Any] = {
        name: value
        for name, value in window.custom.items()
        if isinstance(value, str | int | float | bool)
    }
    return Span(
        start_seconds=start_seconds,
        duration_seconds=duration_seconds,
        language=window.language,
        speaker=window.speaker,
        custom=plain,
    )
