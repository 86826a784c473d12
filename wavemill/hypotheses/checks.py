"""What a language model answers is checked before it is used; what fails leaves its row as it was.

The distance to the hypotheses is what keeps a row safe: whatever a model was made to say, by words
spoken in the recording or by itself, either it lies near what may have been heard or it is not
taken.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wavemill.hypotheses.llm.base import Answer
from wavemill.hypotheses.prompt import unquoted
from wavemill.hypotheses.records import (
    CHATTER,
    EMPTY_ANSWER,
    FAR,
    LENGTH,
    REFUSED,
    UNANSWERED,
    Correction,
    Utterance,
)
from wavemill.packages import require

THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
"""What models that reason write before they answer."""
FENCE = re.compile(r"^```[a-z]*\n(.*)\n```$", re.DOTALL)
QUOTES = ('"', "'", "`", "\u201c\u201d", "\u2018\u2019")
NUMBER = re.compile(r"^1[.)]\s+")
OPENINGS = {
    REFUSED: re.compile(
        r"""(i(['\u2019]m|\ am)\ (sorry|unable|afraid|not\ able) | sorry,
        | i\ (cannot|can['\u2019]?t|won['\u2019]t) | unfortunately | i\ apologi[sz]e
        | as\ an?\ (ai|language\ model|assistant))\b""",
        re.IGNORECASE | re.VERBOSE,
    ),
    CHATTER: re.compile(
        r"""(sure|certainly|of\ course|okay|great|here(\ is|\ are|['\u2019]s))\b
        | ((the|a|my)\ )?((most\ likely|best)\ )?(correct|revis|final|transcri|answer|output)
          [^\n]{0,60}(:|\ is\b)
        | based\ on | i\ (think|believe|would) | note: | \*\* | let\ me | to\ correct""",
        re.IGNORECASE | re.VERBOSE,
    ),
}
"""How a refusal and chatter begin."""


Normalize = Callable[[str, str | None], str]
"""Brings a text of a language into the form of the hypotheses."""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How far an answer may be from the hypotheses."""

    furthest: float = 0.5
    """Edits of characters to the nearest hypothesis, a character of the longer one."""
    free_edits: int = 3
    """That are allowed whatever the length: of two words there is little left if one is wrong."""
    longest: float = 1.5
    """Characters, for one of the longest hypothesis."""
    shortest: float = 0.5
    """The same for the shortest one."""


def check(
    answer: Answer | None,
    utterance: Utterance,
    normalize: Normalize,
    checks: Checks | None = None,
) -> Correction:
    """Make a correction of an answer.

    Args:
        answer: of a model; None where there was none.
        utterance: that it was asked about.
        normalize: brings a text of a language into the form of the hypotheses.
        checks: how far it may go.

    Returns:
        The answer normalised, or the first hypothesis, with the answer and flags that say why.

    """
    if answer is None:
        return Correction(id=utterance.id, text=utterance.best, flags=(UNANSWERED,))
    said = bare(answer.text)
    text = normalize(said, utterance.language)
    flags = _flags(said, text, utterance.texts, checks or Checks())
    if answer.is_cut and LENGTH not in flags:
        flags = (*flags, LENGTH)
    if flags:
        return Correction(id=utterance.id, text=utterance.best, answer=answer.text, flags=flags)
    return Correction(id=utterance.id, text=text)


def bare(answer: str) -> str:
    """Take off what is around an answer and is none of it: thoughts, fences, quotes, a number."""
    text = unquoted(THOUGHTS.sub("", answer)).strip()
    if fenced := FENCE.match(text):
        text = fenced[1].strip()
    text = NUMBER.sub("", text)
    for marks in QUOTES:
        if len(text) > 1 and text[0] == marks[0] and text[-1] == marks[-1]:
            text = text[1:-1].strip()
    return text


def _flags(said: str, text: str, hypotheses: Sequence[str], checks: Checks) -> tuple[str, ...]:
    if not text:
        return (EMPTY_ANSWER,)
    flags = []
    for flag, opening in OPENINGS.items():
        # People say such words, too.
        if opening.match(said) and not any(opening.match(heard) for heard in hypotheses):
            flags.append(flag)
    if "\n" in said.strip() and CHATTER not in flags:
        flags.append(CHATTER)
    sizes = [len(heard) for heard in hypotheses]
    longest = checks.longest * max(sizes) + checks.free_edits
    if not checks.shortest * min(sizes) - checks.free_edits <= len(text) <= longest:
        flags.append(LENGTH)
    if not is_near(text, hypotheses, checks):
        flags.append(FAR)
    return tuple(flags)


def is_near(text: str, hypotheses: Sequence[str], checks: Checks) -> bool:
    """Say whether a text lies in the neighbourhood of some hypotheses."""
    levenshtein = require("rapidfuzz.distance", "hypotheses", "checking answers").Levenshtein
    return any(
        levenshtein.distance(text, heard)
        <= max(checks.free_edits, checks.furthest * max(len(text), len(heard)))
        for heard in hypotheses
    )
