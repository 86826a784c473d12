"""Draw hypotheses of English texts by the model of confusions, as wrong as asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wavemill.errors import UsageError
from wavemill.hypotheses.confusions.calibrate import Wrongness, calibrate
from wavemill.hypotheses.confusions.mishear import Mishearer, Tuning, hypotheses
from wavemill.hypotheses.confusions.model import ConfusionModel
from wavemill.hypotheses.confusions.neighbours import Neighbours
from wavemill.hypotheses.confusions.pronounce import Pronouncer
from wavemill.hypotheses.from_text import FromTextSettings, Text
from wavemill.hypotheses.normalize import is_english
from wavemill.hypotheses.records import Hypothesis

FREQUENCY_WEIGHT = 0.5
VERSION = 1
"""Goes up when the same text would be heard otherwise."""


class ConfusionDrawing:
    """See `Drawing`."""

    def __init__(
        self, model: ConfusionModel, settings: FromTextSettings, pronouncer: Pronouncer
    ) -> None:
        """Draw by a model."""
        self._model, self._settings, self._pronouncer = model, settings, pronouncer
        neighbours = Neighbours(model, pronouncer, FREQUENCY_WEIGHT)
        self._mishearer = Mishearer(neighbours, settings.seed)
        self._tuning: Tuning | None = None
        self._found: Wrongness | None = None

    @property
    def target(self) -> Wrongness:
        """How wrong first hypotheses should be."""
        real, distance = self._model.facts, self._settings.phone_distance
        if distance is None:
            distance = self._settings.wer * real["phone_distance"] / max(real["wer"], 1e-9)
        return Wrongness(wer=self._settings.wer, phone_distance=distance)

    @property
    def facts(self) -> Mapping[str, Any]:
        """See `Drawing`."""
        about: dict[str, Any] = {
            "name": "confusions",
            "digest": f"{self._model.digest}-{VERSION}",
            "target": vars(self.target),
        }
        if self._tuning is not None and self._found is not None:
            about |= {"tuning": vars(self._tuning), "pilot": vars(self._found)}
        return about

    def prepare(self, pilot: Sequence[Text]) -> None:
        """See `Drawing`."""
        sausages = [self._mishearer.sausage(text.id, text.text) for text in pilot]
        said = [text.text for text in pilot]
        self._tuning, self._found = calibrate(said, sausages, self.target, self._pronouncer)

    def draw(self, texts: Iterable[Text]) -> Iterator[tuple[Text, tuple[Hypothesis, ...]]]:
        """See `Drawing`.

        Raises:
            UsageError: a text is not English.

        """
        assert self._tuning is not None
        for text in texts:
            if text.language and not is_english(text.language):
                raise UsageError(
                    f"{text.id} is {text.language}: confusions are of English; give --model, a"
                    " language model"
                )
            places = self._mishearer.sausage(text.id, text.text)
            yield text, hypotheses(places, self._tuning, self._settings.count)
