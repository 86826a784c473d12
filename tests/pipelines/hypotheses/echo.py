"""A recognizer that costs nothing, for jobs in this process: texts by the sound alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from wavemill.digest import digest, digest_number
from wavemill.errors import RejectedError
from wavemill.hypotheses.recognizers import table
from wavemill.hypotheses.recognizers.base import Clip, RecognizerFacts, Request
from wavemill.models.asr.hypotheses import Transcript
from wavemill.records import RECOGNIZER_FAILED

WORDS = ("one", "two", "three", "four", "five")
HEARD: list[int] = []
"""A number for each clip that was heard."""


@dataclass(frozen=True, kw_only=True)
class EchoConfig:
    """What it hears."""

    texts: int = 9
    """Of each clip; the second and the third read alike."""
    fails_at: int = 0
    """Of so many clips one fails; 0 is none."""
    salt: str = ""


class EchoRecognizer:
    """Hears words that depend on every sample of a clip, and on its language."""

    def __init__(self, config: EchoConfig) -> None:
        self._config = config
        self.facts = RecognizerFacts(
            name="echo", sample_rate=16_000, digest=digest([vars(config)]), draws=False
        )

    def hear(self, clip: Clip, request: Request) -> Iterator[Transcript]:
        dice = digest_number([digest(np.ascontiguousarray(clip).tobytes()), self._config.salt])
        HEARD.append(dice)
        if self._config.fails_at and dice % self._config.fails_at == 0:
            raise RejectedError(RECOGNIZER_FAILED, "echo was not in the mood")
        for rank in range(self._config.texts):
            word = WORDS[dice // 5 ** (rank // 2) % 5]
            mark = "." if rank % 2 else f" {rank}"
            yield Transcript(
                text=f"{word} {request.language}{mark}", log_probability=-rank, units=1
            )


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the recognizer known; give what it has heard."""
    monkeypatch.setitem(table.RECOGNIZERS, "echo", (EchoRecognizer, EchoConfig))
    HEARD.clear()
    return HEARD
