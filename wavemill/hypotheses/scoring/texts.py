"""Words and characters of texts, and the errors in them, as jiwer counts them."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.packages import require

Counts = npt.NDArray[np.int64]

EXTRA = "score"
WHAT = "scoring"
_SPACES = re.compile(r"\s\s+")


def words(text: str) -> list[str]:
    """Split a text into words, as `jiwer.wer` does: a lone tab is no space."""
    if text.isprintable():  # all of its white space is blanks
        return text.split()
    return [word for word in _SPACES.sub(" ", text).strip().split(" ") if word]


def characters(text: str) -> str:
    """Return the characters that `jiwer.cer` compares, spaces among them."""
    return text.strip()


def errors(references: Sequence[Any], hypotheses: Sequence[Any]) -> Counts:
    """Count the fewest insertions, deletions and substitutions of each pair.

    Args:
        references: [N], lists of words or strings of characters.
        hypotheses: [N], of the same kind.

    Returns:
        [N], int64.

    Raises:
        UsageError: rapidfuzz is not installed.

    """
    process = require("rapidfuzz.process", EXTRA, WHAT)
    levenshtein = _levenshtein()
    if not references:
        return np.zeros(0, np.int64)
    found: Counts = process.cpdist(
        references, hypotheses, scorer=levenshtein.distance, dtype=np.int64
    )
    return found


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Any]:
    """Align words as jiwer does.

    Returns:
        (`equal`, `replace`, `delete` or `insert`, begin and end in the reference, begin and end in
        the hypothesis), in order; both sides of `replace` have the same number of words.

    Raises:
        UsageError: rapidfuzz is not installed.

    """
    steps: list[Any] = _levenshtein().opcodes(reference, hypothesis).as_list()
    return steps


@cache
def _levenshtein() -> Any:
    return require("rapidfuzz.distance", EXTRA, WHAT).Levenshtein


def rate(errors: float, size: float) -> float:
    """Divide errors by what they are in; where that is nothing, each counts whole, as in jiwer."""
    return float(errors / size) if size else float(errors)
