"""A writer and a recognizer, fused."""

import dataclasses

import pytest
import torch

from tests.models.corrector.misheard import utterances
from wavemill.errors import UsageError
from wavemill.models.asr.recipe import Asr
from wavemill.models.asr.settings import AsrConfig
from wavemill.models.corrector.fused import FusedCorrector, Heard
from wavemill.models.corrector.fusion import LOWEST, Fusion
from wavemill.models.corrector.recipe import CorrectorRecipe
from wavemill.models.corrector.settings import WRITER, CorrectorConfig
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.training.run import TrainedRun

FACTS = DataFacts(streams={}, has_audio=True)
WRITES = CorrectorConfig(
    model=WRITER, width=16, heads=1, layers=1, decoder_layers=1, beam=1, dropout=0.0
)
HEARS = AsrConfig(channels=8, encoder_layers=1, width=16, heads=1, dropout=0.0)


def _run(recipe: Recipe) -> TrainedRun:
    torch.manual_seed(0)
    weights = {name: 3 * value for name, value in recipe.build().state_dict().items()}
    return TrainedRun(name="run", recipe=recipe, step=1, weights=weights)


@pytest.fixture(scope="module")
def fused() -> FusedCorrector:
    writer, recognizer = CorrectorRecipe(WRITES, FACTS), Asr(HEARS, FACTS)
    return FusedCorrector(_run(writer), _run(recognizer), Fusion())


def _heard(number: int) -> Heard:
    audio = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(number))
    return Heard(utterance=utterances()[number], heard=audio, length=torch.tensor([16_000]))


def test_what_is_heard_counts_where_the_writer_is_unsure(fused: FusedCorrector) -> None:
    one, other = _heard(0), _heard(1)
    other = dataclasses.replace(other, utterance=one.utterance)
    fused.fusion = Fusion(language_temperature=10)
    assert fused.correct(one) != fused.correct(other)
    fused.fusion = Fusion(language_temperature=LOWEST)
    assert fused.correct(one) == fused.correct(other)


def test_both_are_calibrated_on_what_was_held_out(fused: FusedCorrector) -> None:
    language, speech = fused.calibrated(_heard(number) for number in range(3))
    for found in (language, speech):
        assert found.is_reached or found.temperature > 9  # none of random models may do it
    assert fused.fusion.language_temperature == language.temperature
    assert fused.fusion.speech_temperature == speech.temperature


def test_runs_that_spell_differently_are_refused() -> None:
    recognizer = Asr(dataclasses.replace(HEARS, alphabet="abc"), FACTS)
    with pytest.raises(UsageError, match="different vocabularies"):
        FusedCorrector(_run(CorrectorRecipe(WRITES, FACTS)), _run(recognizer), Fusion())
