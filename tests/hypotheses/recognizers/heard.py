"""Clips that recognizers hear."""

from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from tests.conftest import SPEECH
from wavemill.hypotheses.recognizers import Recognizer, Request, make_recognizer
from wavemill.models.asr.hypotheses import Transcript
from wavemill.specs import Spec

Clip = npt.NDArray[np.float32]


def clip(name: str) -> Clip:
    """Read one of the example utterances; they have 16 kHz."""
    found, rate = soundfile.read(SPEECH / "audio" / f"{name}.flac", dtype="float32")
    assert rate == 16_000
    return np.asarray(found, np.float32)


def recognizer(name: str, **settings: Any) -> Recognizer:
    """Build one from settings."""
    pairs = tuple(sorted((key, str(value)) for key, value in settings.items()))
    return make_recognizer(Spec(name=name, settings=pairs))


def hear(one: Recognizer, heard: Clip, count: int = 5, **about: Any) -> list[Transcript]:
    """Return all that comes of a clip."""
    return list(one.hear(heard, Request(count=count, **about)))
