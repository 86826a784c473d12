"""Correction by a writer that also hears: UADF, of two models that were trained here.

The audio comes in an order of its own, so the utterances, and what is made of them, are in memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from wavemill import storage
from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.records import UNHEARD, Correction, Utterance
from wavemill.models.asr.recipe import Asr
from wavemill.models.corrector.fused import FusedCorrector, Heard
from wavemill.models.corrector.fusion import Fusion
from wavemill.models.training.run import TrainedRun, load_run
from wavemill.pipelines.hear import check_input, pieces
from wavemill.tokenizers.device import Place

MOST_SECONDS = 60.0
"""Of an utterance that is heard: all of it at once, as it is written at once."""


@dataclass(frozen=True, kw_only=True)
class FuseSettings:
    """What hears beside a writer, and what."""

    recognizer: str
    """Folder of `wavemill train asr`, with the writer's vocabulary."""
    audio: tuple[str, ...]
    """What the hypotheses were made of: inputs as `prepare` takes them, or a prepared dataset."""
    held_out: tuple[Utterance, ...] = ()
    """On which the temperatures are found; both stay 1 where there is none."""


class HearingCorrector:
    """See `Corrector`. An utterance whose audio is not there keeps its first hypothesis."""

    def __init__(self, writer: TrainedRun, settings: FuseSettings, device: str) -> None:
        """Build both models, and find their temperatures on what was held out.

        Raises:
            UsageError: the runs do not go together, the recognizer cannot hear the audio, or none
                of what was held out is in it.
            DatasetError: the audio is in a dataset that cannot be read.

        """
        Place(device=device).check("correct")
        recognizer = load_run(storage.folder_url(settings.recognizer), best=True)
        self._fused = FusedCorrector(writer, recognizer, Fusion(), device=device)
        assert isinstance(recognizer.recipe, Asr)
        self._recipe, self._settings, self._device = recognizer.recipe, settings, device
        for url in settings.audio:
            check_input(url, self._recipe)
        self._facts = {
            "model": writer.name,
            "step": writer.step,
            "fused_with": settings.recognizer,
            "audio": list(settings.audio),
            **self._calibrated(),
        }

    @property
    def facts(self) -> Mapping[str, Any]:
        """What corrects, with the temperatures and how well they do."""
        return self._facts

    def correct(self, utterances: Iterable[Utterance]) -> Iterator[Correction]:
        """Yield a correction of each utterance, in their order.

        Raises:
            JobError: no utterance is in the audio.

        """
        wanted = list(utterances)
        texts = {one.utterance.id: self._fused.correct(one) for one in self._heard(wanted)}
        if not texts:
            raise JobError(
                f"no utterance is in {' '.join(self._settings.audio)}, by its id: give --audio what"
                " the hypotheses were made of"
            )
        for one in wanted:
            if one.id in texts:
                yield Correction(id=one.id, text=texts[one.id])
            else:
                flags = (UNHEARD,) if one.hypotheses else ()
                yield Correction(id=one.id, text=one.best, flags=flags)

    def _calibrated(self) -> dict[str, Any]:
        known = [one for one in self._settings.held_out if one.reference and one.hypotheses]
        if not known:
            return {"calibrated_on": 0}
        heard = list(self._heard(known))
        if not heard:
            raise UsageError(
                f"none of the validation split is in {' '.join(self._settings.audio)}: give --audio"
                " what the hypotheses were made of"
            )
        found = dict(zip(("writer", "recognizer"), self._fused.calibrated(heard), strict=True))
        return {
            "calibrated_on": len(heard),
            **{name: {**asdict(one), "reached": one.is_reached} for name, one in found.items()},
        }

    def _heard(self, utterances: Sequence[Utterance]) -> Iterator[Heard]:
        """Yield those utterances of which there is a hypothesis and audio, not too much of it."""
        waiting = {one.id: one for one in utterances if one.hypotheses}
        for url in self._settings.audio:
            is_first = True
            for piece in pieces(url, self._recipe, MOST_SECONDS, lambda _: None):
                is_whole = is_first and piece.is_last
                is_first = piece.is_last
                if is_whole and not piece.is_broken and piece.id in waiting:
                    heard = torch.from_numpy(np.ascontiguousarray(piece.heard))[None]
                    yield Heard(
                        utterance=waiting.pop(piece.id),
                        heard=heard.to(self._device),
                        length=torch.tensor([heard.shape[1]], device=self._device),
                    )


def open_hearing(model: str, settings: FuseSettings, device: str) -> HearingCorrector:
    """Open a writer by its folder, and what hears with it."""
    return HearingCorrector(load_run(storage.folder_url(model), best=True), settings, device)
