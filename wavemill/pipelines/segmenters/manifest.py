"""`manifest`: what the input says: its rows' offsets and durations, or the spans inside a row."""

from collections.abc import Iterable
from dataclasses import dataclass

from wavemill.pipelines.segmenters.base import OpenAudio, within
from wavemill.records import Recording, Span


@dataclass(frozen=True, kw_only=True)
class ManifestConfig:
    """Has no settings."""


class ManifestSegmenter:
    """Cuts what the input states."""

    stated = True
    numbered = True

    def __init__(self, config: ManifestConfig) -> None:
        """Take the settings."""

    def spans(self, recording: Recording, open_audio: OpenAudio) -> Iterable[Span]:
        """Return the row's spans, or its window if it has none; see `Segmenter.spans`.

        Those with a problem come last, so that the others' numbers are those of what is cut.
        """
        del open_audio
        if not recording.spans:
            return [recording.window]
        spans = (within(recording.window, span) for span in recording.spans)
        return sorted(spans, key=lambda span: (span.problem is not None, span.start_seconds))
