"""A trained corrector at work: the kind `run` of `wavemill correct`."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.hypotheses.correctors import CorrectorSettings
from wavemill.hypotheses.records import Correction, Utterance
from wavemill.models.corrector.recipe import CorrectorRecipe
from wavemill.models.training.run import load_run
from wavemill.tokenizers.device import Place


class RunCorrector:
    """Corrects with the weights of a run: those that did best on what was held out, or the last."""

    def __init__(self, folder: str, settings: CorrectorSettings) -> None:
        """Load it.

        Raises:
            UsageError: the run is of another recipe, or the device is not here.
            JobError: there is no run, or it is damaged.

        """
        Place(device=settings.device).check("correct")
        run = load_run(folder, best=True)
        if not isinstance(run.recipe, CorrectorRecipe):
            raise UsageError(
                f"--model {folder} is a run of {run.name}; give one of `wavemill train corrector`"
            )
        self._kind, self._settings = run.recipe.kind, settings
        self._model = run.build(settings.device)
        self._facts = {
            "model": folder,
            "recipe": run.name,
            "kind_of_model": run.recipe.config.model,
            "step": run.step,
            "only_words_of_hypotheses": settings.only_words_of_hypotheses,
        }

    @property
    def facts(self) -> Mapping[str, Any]:
        """What corrects."""
        return self._facts

    def correct(self, utterances: Iterable[Utterance]) -> Iterator[Correction]:
        """Yield a correction of each utterance; where nothing was heard it stays empty."""
        source = iter(utterances)
        while batch := list(islice(source, self._settings.batch_size)):
            heard = [one for one in batch if one.hypotheses]
            texts = iter(
                self._kind.correct(
                    self._model, heard, only_heard=self._settings.only_words_of_hypotheses
                )
                if heard
                else []
            )
            for one in batch:
                yield Correction(id=one.id, text=next(texts) if one.hypotheses else "")


def open_run(model: str, settings: CorrectorSettings) -> RunCorrector:
    """Open a run by its folder."""
    return RunCorrector(storage.folder_url(model), settings)
