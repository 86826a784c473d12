"""`none`: the recording, or the window that its row gives, is one segment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wavemill.pipelines.segmenters.base import OpenAudio, whole_of
from wavemill.records import Recording, Span


@dataclass(frozen=True, kw_only=True)
class WholeConfig:
    """Has no settings."""


class WholeSegmenter:
    """Takes the whole recording."""

    stated = True
    numbered = False

    def __init__(self, config: WholeConfig) -> None:
        """Take the settings."""

    def spans(self, recording: Recording, open_audio: OpenAudio) -> Iterable[Span]:
        """Return the window; see `Segmenter.spans`."""
        del open_audio
        whole = whole_of(recording, recording.window.start_seconds)
        if recording.explicit_window:
            return [whole]
        # A stated duration is something to check, not a place to cut.
        return [replace(whole, duration_seconds=None)]
