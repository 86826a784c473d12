import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.models.asr.word_errors import WordErrors, edits

words = st.lists(st.sampled_from(["a", "b", "c", "dd", "e"]), max_size=9)


@given(st.lists(st.tuples(words.filter(bool), words), min_size=1, max_size=5))
def test_the_rate_is_that_of_jiwer(pairs: list[tuple[list[str], list[str]]]) -> None:
    errors = WordErrors()
    said = [" ".join(reference) for reference, _ in pairs]
    written = [" ".join(hypothesis) for _, hypothesis in pairs]
    for reference, hypothesis in zip(said, written, strict=True):
        errors.add(reference, hypothesis)
    assert errors.rate == pytest.approx(jiwer.wer(said, written))


def test_where_nothing_was_said_each_word_is_an_error_and_there_is_no_rate() -> None:
    errors = WordErrors()
    errors.add("", "two words")
    assert (errors.errors, errors.words, errors.rate) == (2, 0, None)
    assert edits([], []) == 0
