"""The corrector that chooses among words."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings

from tests.hypotheses.drawn import UTTERANCES
from tests.models.corrector.misheard import utterances
from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.records import Utterance
from wavemill.models.corrector.pointer import PointerModel, pointer_loss
from wavemill.models.corrector.settings import CorrectorConfig


def _batch(some: list[Utterance]) -> HypothesesBatch:
    return HypothesesBatch(
        keys=[one.id for one in some],
        datasets=torch.zeros(len(some), dtype=torch.int64),
        utterances=some,
    )


@pytest.fixture(scope="module")
def trained() -> PointerModel:
    torch.manual_seed(0)
    model = PointerModel(CorrectorConfig())
    known = [one for one in utterances() if one.split == "train"]
    model.learn_words(iter([_batch(known)]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        pointer_loss(model, _batch(known)).mean.backward()
        optimizer.step()
    return model.eval()


@settings(deadline=None, max_examples=10)
@given(UTTERANCES)
def test_a_new_one_takes_the_first_hypothesis(utterance: Utterance) -> None:
    model = PointerModel(CorrectorConfig()).eval()
    assert model.correct(utterance) == utterance.best


def test_what_was_misheard_is_put_right_in_texts_that_were_never_seen(
    trained: PointerModel,
) -> None:
    new = [one for one in utterances() if one.split == "test"]
    assert [trained.correct(one) for one in new] == [one.reference for one in new]


def test_it_does_not_look_at_the_reference(trained: PointerModel) -> None:
    for one in utterances()[-3:]:
        assert trained.correct(dataclasses.replace(one, reference=None)) == trained.correct(one)


@settings(deadline=None, max_examples=10)
@given(UTTERANCES)
def test_it_can_be_held_to_words_that_were_heard(
    trained: PointerModel, utterance: Utterance
) -> None:
    heard = {word for text in utterance.texts for word in text.split()}
    assert set(trained.correct(utterance, only_heard=True).split()) <= heard


def test_losses_of_utterances_add_up(trained: PointerModel) -> None:
    some = utterances()[::5]
    together = pointer_loss(trained, _batch(some))
    alone = [pointer_loss(trained, _batch([one])) for one in some]
    assert torch.allclose(
        together.total, torch.stack([one.total for one in alone]).sum(), rtol=1e-4
    )
    assert int(together.count) == sum(int(one.count) for one in alone)


def test_in_training_nothing_is_known_of_an_utterance_by_itself() -> None:
    model = PointerModel(CorrectorConfig())
    only = utterances()[:1]
    model.learn_words(iter([_batch(only)]))
    empty = PointerModel(CorrectorConfig())
    empty.load_state_dict({**model.state_dict(), "_extra_state": empty.get_extra_state()})
    assert torch.equal(model.train()(only)[0], empty.train()(only)[0])


def test_words_are_in_its_state(trained: PointerModel) -> None:
    again = PointerModel(CorrectorConfig())
    again.load_state_dict(trained.state_dict())
    one = utterances()[-1]
    assert again.eval().correct(one) == one.reference
