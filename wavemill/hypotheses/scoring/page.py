"""An HTML page of scores, and of the words that are wrong: one file, without scripts.

Texts are what a recognizer or a model wrote, so anything; `wavemill/pages` says what is done of it.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from wavemill import storage
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.scoring.changes import Piece, changes
from wavemill.hypotheses.scoring.joined import Source, joined
from wavemill.hypotheses.scoring.scores import Scores
from wavemill.hypotheses.scoring.table import BEST
from wavemill.hypotheses.scoring.texts import EXTRA, errors, words
from wavemill.pages import render

ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Line:
    """A text of an utterance."""

    name: str
    text: str
    errors: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """An utterance, its 1-best first and then its corrections."""

    utterance: Utterance
    lines: tuple[Line, ...]

    @property
    def badness(self) -> tuple[int, int]:
        """By what the worst come first: the most errors in a text, then those of all."""
        each = [line.errors for line in self.lines]
        return max(each), sum(each)

    def pieces(self, line: Line) -> list[Piece]:
        """Align a line of it with what was said."""
        best = None if line.name == BEST else words(self.lines[0].text)
        return changes(words(self.utterance.reference or ""), words(line.text), best)


def write_page(url: str, source: Source, scores: Scores, *, rows: int = ROWS) -> int:
    """Write a page of scores, and of the utterances with the most errors.

    Args:
        url: of the file.
        source: what was scored.
        scores: of it.
        rows: utterances that are shown at most.

    Returns:
        How many are shown.

    Raises:
        UsageError: jinja2 or rapidfuzz are not installed.

    """
    shown = heapq.nlargest(rows, _rows(source, scores), key=lambda row: row.badness)
    keys = dict.fromkeys(group.by for group in scores.groups)
    groups = {key: [group for group in scores.groups if group.by == key] for key in keys}
    values = {"scores": scores, "groups": groups, "rows": shown}
    page = render(__package__, values, extra=EXTRA)
    storage.write_text(url, [page])
    return len(shown)


def _rows(source: Source, scores: Scores) -> Iterator[Row]:
    """Yield utterances with an error in the 1-best or in a correction."""
    names = list(scores.missing)
    for utterance, corrections in joined(source, names, scores.splits):
        if utterance.reference is None:
            continue
        texts = [(BEST, utterance.best, ())] + [
            (name, one.text, one.flags)
            for name, one in zip(names, corrections, strict=True)
            if one is not None
        ]
        reference = words(utterance.reference)
        found = errors([reference] * len(texts), [words(text) for _, text, _ in texts])
        if found.any():
            lines = tuple(
                Line(name=name, text=text, errors=int(count), flags=flags)
                for (name, text, flags), count in zip(texts, found, strict=True)
            )
            yield Row(utterance=utterance, lines=lines)
