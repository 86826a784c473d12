"""The segmenter contract: which stretches of a recording become segments."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from wavemill.audio import AudioStream
from wavemill.records import Recording, Span

SEGMENTS = "segments"
"""The custom field that holds the annotations of a sample with several: NeMo rows have it so."""

MAX_SECONDS = 1_000_000
"""More than any setting in seconds needs to be: 11 days."""

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
                One without channels is cut from its window's; one with a problem is rejected
                where `stated` is true.

        Raises:
            RejectedError: there is nothing to cut out.

        """
        ...


def piece_of(window: Span, start_seconds: float, duration_seconds: float) -> Span:
    """Make a span within a window that keeps what holds for any part of it.

    Language, speaker and plain custom values do; the text and whatever has a structure (words
    with times, say) speak of the whole and would be wrong for a part.
    """
    return within(window, Span(start_seconds=start_seconds, duration_seconds=duration_seconds))


def within(window: Span, span: Span) -> Span:
    """Add to a span what holds for any part of its window; what it says itself comes first."""
    plain: Mapping[str, Any] = {
        name: value
        for name, value in window.custom.items()
        if isinstance(value, str | int | float | bool)
    }
    return replace(
        span,
        channels=span.channels or window.channels,
        language=span.language or window.language,
        speaker=span.speaker or window.speaker,
        custom={**plain, **span.custom},
    )


def whole_of(recording: Recording, start_seconds: float) -> Span:
    """Describe a sample that is all of a recording and begins at a second of its file.

    That is its window. Annotations that do not speak of the whole come along as the custom field
    `segments`, with times and channels as the sample has them, so that none of them is lost.
    """
    window, spans = recording.window, recording.spans
    said = len(spans) == 1 and spans[0].covers(window)
    as_written = SEGMENTS in window.custom and start_seconds == 0
    if not spans or as_written or (said and SEGMENTS not in window.custom):
        return window
    listed = [_listed(span, window, start_seconds) for span in spans]
    return replace(window, custom={**window.custom, SEGMENTS: listed})


def _listed(span: Span, window: Span, start_seconds: float) -> dict[str, Any]:
    said = {"text": span.text, "language": span.language, "speaker": span.speaker}
    if span.problem is not None:
        return {**span.custom, **_filled(said), "problem": span.problem}
    start = span.start_seconds - start_seconds
    channels = [
        window.channels.index(channel) if channel in window.channels else channel
        for channel in span.channels
    ]
    times = {
        "start": round(start, 6),
        "end": None if span.duration_seconds is None else round(start + span.duration_seconds, 6),
        "channel": channels[0] if len(channels) == 1 else channels or None,
    }
    return {**span.custom, **_filled(said), **_filled(times)}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
