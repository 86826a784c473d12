"""`manifest`: what the input says: its rows' offsets and durations, or the spans inside a row."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wavemill.pipelines.segmenters.base import OpenAudio
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
        """Return the row's spans, or its window if it has none; see `Segmenter.spans`."""
        del open_audio
        window = recording.window
        if not recording.spans:
            return [window]
        inherited = [
            replace(
                span,
                language=span.language or window.language,
                speaker=span.speaker or window.speaker,
            )
            for span in recording.spans
        ]
        return sorted(inherited, key=lambda span: span.start_seconds)
