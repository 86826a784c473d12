"""Several drafts for one forward pass a token."""

from typing import Any

import pytest
import torch

from tests.models.corrector.tiny_language_model import make_model
from wavemill.models.corrector.superposed import SuperposedConfig, TokenGrams, superposed

PROMPT = [2, 3, 6]


class Counted:
    """A model that counts how often it is run."""

    def __init__(self, model: Any) -> None:
        self.model, self.runs = model, 0

    def get_input_embeddings(self) -> Any:
        return self.model.get_input_embeddings()

    def __call__(self, **inputs: Any) -> Any:
        self.runs += 1
        return self.model(**inputs)


@pytest.fixture(scope="module")
def model() -> Any:
    return make_model()


def _greedy(model: Any, most: int) -> tuple[int, ...]:
    written = model.generate(
        input_ids=torch.tensor([PROMPT]),
        attention_mask=torch.ones(1, len(PROMPT), dtype=torch.int64),
        do_sample=False,
        max_new_tokens=most,
        pad_token_id=0,
    )[0, len(PROMPT) :].tolist()
    return tuple(written[: written.index(0)] if 0 in written else written)


def test_one_draft_is_greedy_decoding(model: Any) -> None:
    for most in (1, 4, 12):
        config = SuperposedConfig(drafts=1, most_tokens=most)
        found = superposed(model, PROMPT, config, end=0)
        assert [one.tokens for one in found] == [_greedy(model, most)]


def test_it_runs_as_often_however_many_drafts_there_are(model: Any) -> None:
    runs = []
    for drafts in (1, 3, 8):
        counted = Counted(model)
        # An end that never comes: all drafts are as long as they may be.
        config = SuperposedConfig(drafts=drafts, most_tokens=10)
        superposed(counted, PROMPT, config, end=-1)
        runs.append(counted.runs)
    assert runs == [10, 10, 10]


def test_drafts_differ_and_the_best_come_first(model: Any) -> None:
    grams = TokenGrams([[2, 3, 6, 9, 14, 15, 0], [2, 3, 6, 12, 19, 0], [2, 3, 6, 9, 19, 0]])
    config = SuperposedConfig(drafts=4, most_tokens=8, temperature=1.0)
    for known in (None, grams):
        found = superposed(model, PROMPT, config, end=0, grams=known)
        assert len({one.tokens for one in found}) == len(found)
        assert len(found) == 4 or known is not None
        logs = [one.log_probability for one in found]
        assert logs == sorted(logs, reverse=True)


def test_n_grams_say_which_token_goes_with_which_draft(model: Any) -> None:
    grams = TokenGrams([[*PROMPT, 9, 14, 0], [*PROMPT, 12, 19, 0]], weights=(0.1, 0.4, 0.5))
    config = SuperposedConfig(drafts=2, most_tokens=4, temperature=1.0, tried=32)
    found = superposed(model, PROMPT, config, end=0, grams=grams)
    assert {one.tokens for one in found if one.is_whole} == {(9, 14), (12, 19)}


def test_grams_weigh_the_shares_of_what_followed() -> None:
    grams = TokenGrams([[1, 2, 3], [1, 2, 4], [5, 2, 4]], weights=(0.25, 0.5))
    assert grams.probability([1, 2], 3) == pytest.approx(0.25 / 3 + 0.5 / 2)
    assert grams.probability([7], 3) == 0
