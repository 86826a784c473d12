import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavemill.errors import JobError, UsageError
from wavemill.models.asr.pieces import Pieces, fit_pieces
from wavemill.models.asr.text import Bytes, Characters, normalize

TEXTS = ("press one for the menu", "press two to leave a message", "the message was sent")


@pytest.mark.parametrize(
    ("given_text", "plain"),
    [
        ("Press 1, please!", "press 1 please"),
        ("I\u2019m sorry -- you're 'out'.", "i'm sorry you're out"),
        ("  Non-Administrator\tusers ", "non administrator users"),
        ("Нажмите «решётку»…", "нажмите решётку"),
        ("cafe\u0301 \u0939\u093f\u0928\u094d\u0926\u0940", "café हिन्दी"),
        ("...", ""),
        ("", ""),
    ],
)
def test_texts_are_made_plain(given_text: str, plain: str) -> None:
    assert normalize(given_text) == plain


@given(st.text(max_size=40))
def test_a_plain_text_is_left_as_it_is(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(st.text(max_size=40))
def test_bytes_spell_every_plain_text(text: str) -> None:
    plain = normalize(text)
    ids = Bytes().encode(plain)
    assert all(0 <= one < Bytes.size for one in ids)
    assert Bytes().decode(ids) == plain


@given(st.lists(st.integers(0, 255), max_size=20))
def test_bytes_that_are_no_text_are_read_as_far_as_they_are_one(ids: list[int]) -> None:
    assert isinstance(Bytes().decode(ids), str)


@given(st.text("abc' xyz", max_size=30))
def test_an_alphabet_spells_what_is_in_it_and_leaves_out_what_is_not(text: str) -> None:
    letters = Characters("abc'")
    assert letters.size == 5
    kept = "".join(character for character in text if character in "abc' ")
    assert letters.decode(letters.encode(text)) == " ".join(kept.split())


@pytest.mark.parametrize("alphabet", ["", "abC", "a-b", "a.b"])
def test_an_alphabet_has_only_what_plain_texts_have(alphabet: str) -> None:
    with pytest.raises(UsageError, match="give lower-case letters, digits and '"):
        Characters(alphabet)


def test_pieces_spell_the_texts_that_they_were_fitted_to() -> None:
    content = fit_pieces(TEXTS, 40)
    pieces = Pieces(content)
    assert pieces.size <= 40
    for text in TEXTS:
        ids = pieces.encode(text)
        assert len(ids) < len(text)
        assert all(0 <= one < pieces.size for one in ids)
        assert pieces.decode(ids) == text
    assert fit_pieces(TEXTS, 40) == content


def test_pieces_leave_out_characters_that_were_in_no_text() -> None:
    pieces = Pieces(fit_pieces(TEXTS, 40))
    assert pieces.decode(pieces.encode("press ж the")) == "press the"


@pytest.mark.parametrize("content", ["{", "{}", '{"model": {"type": "BPE"}}'])
def test_what_is_no_vocabulary_is_refused(content: str) -> None:
    with pytest.raises(UsageError, match="vocabulary: it cannot be read"):
        Pieces(content)


def test_pieces_need_texts_and_a_size() -> None:
    with pytest.raises(JobError, match="there is no text"):
        fit_pieces(["...", ""], 40)
    with pytest.raises(UsageError, match="--size 3: give 8 to 100000"):
        fit_pieces(TEXTS, 3)
