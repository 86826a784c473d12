"""How well recordings were recognized whose texts are known, input by input."""

from typing import Any

from wavemill.models.asr.recognizer import Recognized
from wavemill.models.asr.text import normalize
from wavemill.models.asr.word_errors import WordErrors


class Scores:
    """Counts recordings, seconds and word errors. Texts are compared in their plain form."""

    def __init__(self) -> None:
        self.recordings = 0
        self.seconds = 0.0
        self._whole, self._inputs = WordErrors(), dict[str, WordErrors]()

    def add(self, url: str, found: Recognized) -> None:
        """Count a recording of an input."""
        self.recordings += 1
        self.seconds += found.seconds
        errors = self._inputs.setdefault(url, WordErrors())
        if found.reference is not None:
            for one in (errors, self._whole):
                one.add(normalize(found.reference), normalize(found.best[0].text))

    def summary(self) -> dict[str, Any]:
        """Return what was counted, as JSON."""
        return {
            "recordings": self.recordings,
            "audio_seconds": round(self.seconds, 3),
            "wer": self._whole.rate,
            "inputs": {
                url: {"wer": one.rate, "errors": one.errors, "words": one.words}
                for url, one in self._inputs.items()
            },
        }
