"""Language models by name, and what the weight of each is tuned on."""

from collections.abc import Iterator

from wavemill.digest import digest_number
from wavemill.errors import JobError
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.rescoring.base import LanguageModel
from wavemill.hypotheses.rescoring.ngrams import NgramModel
from wavemill.hypotheses.rescoring.rescore import Tuned, can_tune, tune
from wavemill.hypotheses.scoring.texts import words
from wavemill.tokenizers.device import Place

NGRAM = "ngram"
TRAIN, VALIDATION = "train", "validation"
FOLDS = 5
"""Parts that the training split falls into where there is no validation split."""


def open_model(
    name: str, folder: HypothesesFolder, *, order: int, device: str, batch_size: int
) -> LanguageModel:
    """Open a language model.

    Args:
        name: `ngram` for one of the references of the folder's training split; else a folder or a
            hub name.
        folder: whose hypotheses are to be rescored.
        order: of n-grams.
        device: where a causal model runs.
        batch_size: texts that it reads at once.

    Raises:
        JobError: the training split has no reference.
        UsageError: there is no such model, or a package is not installed.

    """
    if name == NGRAM:
        model = ngrams(folder.utterances(TRAIN), order)
        if not model.sentences:
            raise JobError(
                f"{folder.url} has no utterance of the training split with a reference: there is"
                " nothing to count n-grams of; give --lm FOLDER"
            )
        return model
    from wavemill.hypotheses.rescoring.causal import CausalModel
    from wavemill.models.corrector.language_model import load_language_model, load_tokenizer

    Place(device=device).check("rescore")
    loaded = load_language_model(name).to(device).eval()
    return CausalModel(loaded, load_tokenizer(name), name, batch_size)


def ngrams(utterances: Iterator[Utterance], order: int) -> NgramModel:
    """Count the n-grams of references."""
    return NgramModel((words(one.reference) for one in utterances if one.reference), order)


def tune_on(folder: HypothesesFolder, model: LanguageModel) -> tuple[str, Tuned]:
    """Tune the weight of a model, on no utterance that it has learnt from.

    That is the validation split. Where it has no references, it is the training split: n-grams are
    then counted five times, each time without the texts that they are tuned on.

    Returns:
        The split, and what was found.

    Raises:
        JobError: there is nothing to tune on.

    """
    if any(map(can_tune, folder.utterances(VALIDATION))):
        return VALIDATION, tune([(folder.utterances(VALIDATION), model)])
    if not isinstance(model, NgramModel):
        return TRAIN, tune([(folder.utterances(TRAIN), model)])
    return TRAIN, tune(
        (_fold(folder, fold, inside=True), ngrams(_fold(folder, fold, inside=False), model.order))
        for fold in range(FOLDS)
    )


def _fold(folder: HypothesesFolder, fold: int, *, inside: bool) -> Iterator[Utterance]:
    for one in folder.utterances(TRAIN):
        if (digest_number(one.reference or "") % FOLDS == fold) == inside:
            yield one
