"""An answer is taken where it lies near the hypotheses, and says why where it is not."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.drawn import TEXTS
from wavemill.hypotheses.checks import Checks, bare, check, is_near
from wavemill.hypotheses.llm.base import Answer
from wavemill.hypotheses.records import (
    CHATTER,
    EMPTY_ANSWER,
    FAR,
    LENGTH,
    REFUSED,
    UNANSWERED,
    Correction,
    Hypothesis,
    Utterance,
)

HEARD = ("please leave a massage after the tone", "please leave a message after the tome")
RIGHT = "please leave a message after the tone"


def utterance(*texts: str) -> Utterance:
    hypotheses = tuple(Hypothesis(text=text, score=-1.0) for text in texts)
    return Utterance(id="a", recording_id="a", hypotheses=hypotheses)


def checked(text: str, *, heard: Sequence[str] = HEARD, is_cut: bool = False) -> Correction:
    answer = Answer(text=text, is_cut=is_cut, prompt_tokens=1, completion_tokens=1)
    return check(answer, utterance(*heard), lambda said, _: said.lower().strip(".*"))


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        f' "{RIGHT.upper()}." ',
        f"\u201c{RIGHT}\u201d",
        f"1. {RIGHT}",
        f"```text\n{RIGHT}\n```",
        f"<think>\nSure, a massage?\n</think>\n\n{RIGHT}",
    ],
)
def test_what_is_around_an_answer_is_taken_off(answer: str) -> None:
    assert checked(answer) == Correction(id="a", text=RIGHT)


@pytest.mark.parametrize(
    ("answer", "flags"),
    [
        ("", {EMPTY_ANSWER}),
        ("<think>hm</think>", {EMPTY_ANSWER}),
        ("...", {EMPTY_ANSWER}),
        (f"Sure! Here is the corrected transcript: {RIGHT}", {CHATTER, LENGTH, FAR}),
        (f"Corrected: {RIGHT}", {CHATTER}),
        (f"The corrected transcript is {RIGHT}", {CHATTER, LENGTH}),
        (f"**{RIGHT}**", {CHATTER}),
        (f"{RIGHT}\n\nI changed a word.", {CHATTER}),
        ("I'm sorry, but I cannot help with that.", {REFUSED, FAR}),
        ("As an AI language model, I do not hear.", {REFUSED, FAR}),
        ("please leave", {LENGTH, FAR}),
        ("the cat sat on the mat and ran away", {FAR}),
        ("hacked", {LENGTH, FAR}),
        (" ".join([RIGHT] * 3), {LENGTH, FAR}),
    ],
)
def test_what_is_no_correction_leaves_the_first_hypothesis(answer: str, flags: set[str]) -> None:
    made = checked(answer)
    assert (made.text, made.answer) == (HEARD[0], answer)
    assert set(made.flags) == flags


@pytest.mark.parametrize("said", ["i'm sorry i cannot come", "sure here is the corrected bill"])
def test_people_say_what_models_say(said: str) -> None:
    assert checked(said, heard=[said, said[:-1]]) == Correction(id="a", text=said)


def test_an_answer_that_was_cut_or_did_not_come_is_not_taken() -> None:
    assert checked(RIGHT, is_cut=True).flags == (LENGTH,)
    missing = check(None, utterance(*HEARD), lambda said, _: said)
    assert missing == Correction(id="a", text=HEARD[0], flags=(UNANSWERED,))


@settings(max_examples=30)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5, unique=True), answer=st.text())
def test_what_is_taken_is_near_and_what_is_not_is_the_first(texts: list[str], answer: str) -> None:
    one = utterance(*texts)
    for said in (answer, texts[-1]):
        made = check(
            Answer(text=said, prompt_tokens=1, completion_tokens=1), one, lambda said, _: bare(said)
        )
        if made.flags:
            assert (made.text, made.answer) == (one.best, said)
            assert said != texts[-1] or not said
        else:
            assert is_near(made.text, one.texts, Checks())
