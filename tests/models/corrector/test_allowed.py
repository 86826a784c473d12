"""Texts of some words alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.models.asr.text import Bytes
from wavemill.models.corrector.allowed import AllowedWords, words_of

WORDS = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5, unique=True)
END = Bytes.size


def _allowed(words: list[str]) -> AllowedWords:
    spell = Bytes().encode
    return AllowedWords(map(spell, words), [spell(f" {word}") for word in words], END)


@settings(max_examples=40)
@given(WORDS, st.data())
def test_whatever_is_written_is_of_the_words(words: list[str], data: st.DataObject) -> None:
    allowed, written = _allowed(words), list[int]()
    while len(written) < 40:
        token = data.draw(st.sampled_from(allowed.next(written)))
        if token == END:
            assert set(Bytes().decode(written).split()) <= set(words)
            return
        written.append(token)
    assert all(
        any(one.startswith(part) for one in words) for part in Bytes().decode(written).split()
    )


@settings(max_examples=40)
@given(WORDS, st.data())
def test_all_texts_of_the_words_can_be_written(words: list[str], data: st.DataObject) -> None:
    allowed = _allowed(words)
    text = " ".join(data.draw(st.lists(st.sampled_from(words), max_size=4)))
    tokens = [*Bytes().encode(text), END]
    for place, token in enumerate(tokens):
        assert token in allowed.next(tokens[:place])


def test_after_what_is_not_allowed_only_the_end_is_left() -> None:
    assert _allowed(["ab"]).next(Bytes().encode("b")) == [END]
    assert words_of(["a b", "b  c"]) == ["a", "b", "c"]
