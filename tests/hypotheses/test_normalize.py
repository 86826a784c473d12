"""Texts that say the same look the same."""

import sys

import pytest

from wavemill.errors import UsageError
from wavemill.hypotheses.normalize import Normalizer, is_english


def test_english_has_whispers_rules_and_other_languages_the_plain_ones() -> None:
    normalizer = Normalizer()
    assert normalizer("Um, I won't pay twenty-five dollars!", "en-US") == "i will not pay $25"
    assert normalizer("Ça coûte 25 €, d'accord?", "fr") == "ça coûte 25 d accord"
    assert normalizer("It's ten.") == "it s ten"  # whose language is not known
    assert normalizer(" [noise] ", "en") == ""


def test_the_plain_one_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    assert Normalizer("plain")("It's TEN, then.", "en") == "it's ten then"
    with pytest.raises(UsageError, match=r"pip install 'wavemill\[hypotheses\]'"):
        Normalizer()


def test_versions_tell_normalizers_apart() -> None:
    assert len({Normalizer(name).version for name in ("auto", "english", "basic", "plain")}) == 4


@pytest.mark.parametrize("language", ["en", "EN_us", "eng", "English"])
def test_english_has_several_names(language: str) -> None:
    assert is_english(language)
    assert not is_english("enm" if language == "en" else None)


def test_a_name_that_is_not_known_is_told() -> None:
    with pytest.raises(UsageError, match="--normalizer latin"):
        Normalizer("latin")
