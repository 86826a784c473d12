"""CMU's recognizer, with its own model."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.hypotheses.recognizers.heard import clip, hear, recognizer
from wavemill.errors import UsageError
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.recognizers import Recognizer, Request, distinct


@pytest.fixture(scope="module")
def sphinx() -> Recognizer:
    return recognizer("pocketsphinx")


def test_it_hears_english_and_gives_what_else_it_may_have_been(sphinx: Recognizer) -> None:
    heard = sphinx.hear(clip("auth-thankyou"), Request(count=5))
    found = distinct(heard, Normalizer("plain"), 5)
    assert found[0].text == "thank you"
    assert len({one.text for one in found}) == 5
    assert all(np.isfinite(one.score) and one.score < 0 for one in found)


def test_what_was_heard_before_changes_nothing(sphinx: Recognizer) -> None:
    first, other = clip("auth-thankyou"), clip("calling")
    request = Request(count=5)
    before = list(islice(sphinx.hear(first, request), 20))
    assert list(islice(sphinx.hear(other, request), 20)) != before
    assert list(islice(sphinx.hear(first, request), 20)) == before


def test_in_next_to_nothing_it_hears_nothing(sphinx: Recognizer) -> None:
    assert hear(sphinx, np.zeros(1, np.float32)) == []


def test_a_model_is_given_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hmm, lm and dictionary together"):
        recognizer("pocketsphinx", hmm=tmp_path)
    with pytest.raises(UsageError, match="cannot read the model"):
        recognizer("pocketsphinx", hmm=tmp_path, lm=tmp_path / "lm", dictionary=tmp_path / "d")


def test_settings_key_what_is_heard(sphinx: Recognizer) -> None:
    for setting in ({"chunk_seconds": 5}, {"floor_db": 60}):
        assert recognizer("pocketsphinx", **setting).facts.digest != sphinx.facts.digest
