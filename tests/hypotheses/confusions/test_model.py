"""Phones that are alike are confused; what was learnt is kept."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.confusions.alignment import align, first_costs
from wavemill.hypotheses.confusions.model import ConfusionModel, fit_model, load_model
from wavemill.hypotheses.confusions.phones import (
    COUNT,
    NAMES,
    NONE,
    decoded,
    differences,
    encoded,
    numbers,
)
from wavemill.hypotheses.confusions.pronounce import LETTERS, Pronouncer, by_letters

PHONES = st.lists(st.integers(0, COUNT - 1), max_size=7)
UNIT = np.ones((COUNT + 1, COUNT + 1)) - np.eye(COUNT + 1)


def test_a_phone_is_like_itself_and_a_vowel_like_no_consonant() -> None:
    apart = differences()
    assert (apart == apart.T).all()
    assert not apart.diagonal().any()
    names = list(NAMES)
    assert apart[names.index("P"), names.index("B")] == 1
    assert apart[names.index("IY"), names.index("S")] == 4
    assert decoded(encoded("M EH1 S AH0 JH")) == "M EH S AH JH"


@settings(max_examples=40)
@given(said=PHONES, heard=PHONES)
def test_an_alignment_holds_both_and_costs_the_least(said: list[int], heard: list[int]) -> None:
    from rapidfuzz.distance import Levenshtein

    cost, pairs = align(said, heard, UNIT.tolist())
    assert cost == Levenshtein.distance(said, heard)
    assert [one for one, _ in pairs if one != NONE] == said
    assert [other for _, other in pairs if other != NONE] == heard
    assert cost == sum(UNIT[pair] for pair in pairs)
    assert align(said, said, first_costs().tolist())[0] == 0


def test_words_are_said_by_the_dictionary_else_by_their_letters(pronouncer: Pronouncer) -> None:
    say = pronouncer.say
    assert decoded(say("message")) == "M EH S AH JH"
    assert say("42") == say("four") + say("two")
    assert decoded(say("zorblatt")) == "Z AO R B L AE T"
    assert say("zorblatt's") == say("zorblatt") + encoded("Z")
    assert say("\u00fc") == ""
    assert all(by_letters(letters) for letters in LETTERS)


def test_what_is_often_heard_for_something_costs_less(
    pronouncer: Pronouncer, tmp_path: Path
) -> None:
    pairs = [("pat the cat", "bat the cat"), ("pin it", "bin it"), ("the cat sat", "the cat sat")]
    learnt = fit_model(pairs * 10, pronouncer)
    p, b, d = (numbers(encoded(name))[0] for name in "PBD")
    assert learnt.costs[p, b] < learnt.costs[p, p] < learnt.costs[p, d]
    # Each phone is heard as something.
    assert np.allclose(np.exp(-learnt.costs[:COUNT]).sum(axis=1), 1, atol=0.01)
    assert learnt.facts["wer"] == pytest.approx(2 / 8, abs=1e-4)
    learnt.save(str(tmp_path / "model.json"))
    again = load_model(str(tmp_path / "model.json"))
    assert again.digest == learnt.digest


def test_what_is_no_model_is_told(tmp_path: Path, model: ConfusionModel) -> None:
    with pytest.raises(UsageError, match="fit confusions"):
        load_model(str(tmp_path / "none.json"))
    place = tmp_path / "model.json"
    model.save(str(place))
    text = place.read_text()
    for damaged in (text[:-9], text.replace('"format": 1', '"format": 9'), "[]"):
        place.write_text(damaged)
        with pytest.raises(DatasetError, match="model"):
            load_model(str(place))
    with pytest.raises(DatasetError, match="nothing to learn"):
        fit_model([], Pronouncer())
