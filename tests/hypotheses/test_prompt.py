"""Prompts are data; what is put into them stays data."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import UsageError
from wavemill.hypotheses.prompt import (
    CORRECTION_SLOTS,
    MISHEARING_SLOTS,
    SHIPPED,
    load_prompt,
    quoted,
    unquoted,
)
from wavemill.hypotheses.records import Hypothesis, Utterance

GOOD = "name: mine\nversion: 1\nmessages:\n- {role: user, content: 'say {best}'}\n"


def utterance(*texts: str) -> Utterance:
    hypotheses = tuple(Hypothesis(text=text, score=-1.0) for text in texts)
    return Utterance(id="a", recording_id="a", hypotheses=hypotheses)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_prompt_that_ships_is_named_as_its_file_and_fits_its_use(path: Path) -> None:
    use = (MISHEARING_SLOTS, 1) if path.stem.startswith("mishear") else (CORRECTION_SLOTS, 2)
    assert load_prompt(path.stem, *use).name == path.stem


@settings(max_examples=30)
@given(texts=st.lists(st.text(), min_size=1, max_size=5))
def test_hypotheses_stay_lines_of_data_between_their_tags(texts: list[str]) -> None:
    prompt = load_prompt("correct", CORRECTION_SLOTS, 2)
    (_, asked) = prompt.about(utterance(*texts)).messages[-1]
    lines = asked.split("\n")
    assert (lines[0], lines[-1]) == ("<hypotheses>", "</hypotheses>")
    assert len(lines) == len(texts) + 2
    for number, (line, text) in enumerate(zip(lines[1:-1], texts, strict=True), 1):
        assert line.startswith(f"{number}.")
        assert not {"<", ">"} & set(line)
        if not {"&lt;", "&gt;"} & {text[i : i + 4] for i in range(len(text))}:
            assert unquoted(quoted(text)) == " ".join(text.split())


def test_a_slot_in_a_hypothesis_is_none() -> None:
    prompt = load_prompt("correct", CORRECTION_SLOTS, 2)
    (_, asked) = prompt.about(utterance("say {best} and {nothing}", "b")).messages[-1]
    assert "1. say {best} and {nothing}\n2. b" in asked


def test_a_prompt_of_ones_own_has_a_digest_of_its_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    mine = load_prompt(str(path), CORRECTION_SLOTS, 2)
    assert mine.about(utterance("a", "b")).messages == (("user", "say a"),)
    digests = {mine.digest}
    for old, new in (("say", "tell"), ("version: 1", "version: 2"), ("user", "system")):
        path.write_text(GOOD.replace(old, new))
        digests.add(load_prompt(str(path), CORRECTION_SLOTS, 2).digest)
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace("{best}", "{bst}"), "no slot {bst}"),
        (GOOD.replace("{best}", "{count}"), "needs the slot {hypotheses} or {best}"),
        (GOOD.replace("user", "robot"), "roles are"),
        (GOOD.replace("version: 1\n", ""), "it needs name"),
        ("[", "cannot be read"),
    ],
)
def test_a_prompt_that_does_not_serve_says_why(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(UsageError, match=words.replace("{", r"\{")):
        load_prompt(str(tmp_path / "mine.yaml"), CORRECTION_SLOTS, 2)


def test_a_prompt_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="correct-by-example"):
        load_prompt("corect", CORRECTION_SLOTS, 2)
