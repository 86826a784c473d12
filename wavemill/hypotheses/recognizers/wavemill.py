"""`wavemill`: what `wavemill train asr` made, for audio."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.hypotheses.recognizers.base import Clip, RecognizerFacts, Request
from wavemill.models.asr.chunks import chunks
from wavemill.models.asr.decoding import DecodingConfig
from wavemill.models.asr.hypotheses import Transcript
from wavemill.models.asr.recognizer import Piece, Recognizer
from wavemill.models.training.run import load_run, read_run
from wavemill.specs import check_range
from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.features import SAMPLE_RATE
from wavemill.tokenizers.threads import torch_threads

VERSION = 1
"""Goes up when the same audio and settings would give other hypotheses."""
WHAT = "recognizer wavemill"


@dataclass(frozen=True, kw_only=True)
class WavemillConfig(PlaceSettings):
    """The run, and how texts are searched; see `wavemill transcribe`."""

    run: str
    """Folder of `wavemill train asr`."""
    method: str | None = None
    """ctc, attention or joint; the last that the model can, if left out."""
    beam: int = 16
    ctc_weight: float | None = None
    chunk_seconds: float = 30.0
    best: bool = False
    """The checkpoint that was best on what was held out."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range("chunk_seconds", self.chunk_seconds, 0.5, 3600)
        if self.precision != "float32":
            raise ValueError("precision: give float32, in which these models are searched")


class WavemillRecognizer:
    """Hears what it was trained on."""

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    weights: ClassVar[str] = "a run of `wavemill train asr`"

    def __init__(self, config: WavemillConfig) -> None:
        """Load the model.

        Raises:
            UsageError: there is no such run, or it hears tokens.

        """
        place = config.place(WHAT)
        folder = storage.folder_url(config.run)
        trained = load_run(folder, best=config.best)
        search = DecodingConfig(
            method=config.method, beam=config.beam, count=config.beam, ctc_weight=config.ctc_weight
        )
        self._recognizer = Recognizer(trained, search, device=config.device)
        if self._recognizer.recipe.stream is not None:
            stream = self._recognizer.recipe.stream.name
            raise UsageError(
                f"{WHAT}: {config.run} hears tokens {stream!r}, no audio; `wavemill transcribe`"
                " gives their N-best lists"
            )
        self._chunk_seconds = config.chunk_seconds
        used = self._recognizer.config
        settings = [used.method, used.beam, used.ctc_weight, config.chunk_seconds]
        weights = [read_run(folder)["config"], digest_tensors(trained.weights)]
        self.facts = RecognizerFacts(
            name="wavemill",
            sample_rate=SAMPLE_RATE,
            digest=digest([VERSION, weights, settings, place.digest_parts]),
        )

    def hear(self, clip: Clip, request: Request) -> Iterator[Transcript]:
        """Yield what may have been said; see `Recognizer`."""
        del request  # a model of one language, which searches what it can
        parts = list(chunks([clip], SAMPLE_RATE, self._chunk_seconds))
        pieces = [
            Piece(id="", heard=np.ascontiguousarray(part), seconds=len(part) / SAMPLE_RATE,
                  is_last=number + 1 == len(parts))
            for number, part in enumerate(parts)
        ]  # fmt: skip
        with torch_threads(1):
            for found in self._recognizer.recognize(pieces):
                yield from found.best
