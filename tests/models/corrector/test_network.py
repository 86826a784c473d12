"""Hypotheses side by side."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.drawn import TEXTS
from wavemill.models.corrector.network import build_network, likeness, phrases

LISTS = st.lists(TEXTS, min_size=1, max_size=5, unique=True)


@settings(max_examples=40)
@given(LISTS)
def test_each_hypothesis_reads_through_its_columns(hypotheses: list[str]) -> None:
    columns = build_network(hypotheses)
    for number, text in enumerate(hypotheses):
        assert " ".join(filter(None, (column[number] for column in columns))) == text
    assert all(any(column) for column in columns)


@settings(max_examples=40)
@given(LISTS, TEXTS)
def test_the_phrases_of_columns_are_the_reference(hypotheses: list[str], said: str) -> None:
    columns = build_network(hypotheses)
    if columns:
        assert " ".join(filter(None, phrases(columns, said))) == said


def test_words_that_are_alike_stand_beside_each_other() -> None:
    columns = build_network(["please add to your number", "please enter your number"])
    assert phrases(columns, "please enter the number") == ["please", "", "enter", "the", "number"]
    assert likeness("add", "and") > likeness("add", "the")
