"""Words that are wrong are marked, and those that a correction mended or broke."""

import pytest
from hypothesis import given

from tests.hypotheses.drawn import WORDS
from wavemill.hypotheses.scoring.changes import changes
from wavemill.hypotheses.scoring.texts import errors


@given(WORDS, WORDS, WORDS)
def test_all_words_are_shown_and_each_error_once(
    reference: list[str], text: list[str], before: list[str]
) -> None:
    pieces = changes(reference, text, before)
    assert " ".join(filter(None, (one.said for one in pieces))).split() == reference
    assert " ".join(filter(None, (one.written for one in pieces))).split() == text
    wrong = [one for one in pieces if one.kind not in {"same", "fixed"}]
    counted = sum(max(len(one.said.split()), len(one.written.split())) for one in wrong)
    assert counted == errors([reference], [text])[0]


@given(WORDS, WORDS)
def test_what_a_correction_leaves_is_neither_mended_nor_new(
    reference: list[str], text: list[str]
) -> None:
    assert changes(reference, text, text) == changes(reference, text)


@pytest.mark.parametrize(
    ("before", "text", "marks"),
    [
        ("a cat sat", "the cat sat", ["fixed", "same", "same"]),
        ("the cat sat", "a cat", ["!replaced", "same", "!deleted"]),
        ("a cat sat", "a cat sat down", ["replaced", "same", "same", "!inserted"]),
        ("the cat sat down", "the cat sat on", ["same", "same", "same", "!inserted"]),
    ],
)
def test_marks_say_what_was_before(before: str, text: str, marks: list[str]) -> None:
    pieces = changes(["the", "cat", "sat"], text.split(), before.split())
    assert [("!" if one.is_new else "") + one.kind for one in pieces] == marks
