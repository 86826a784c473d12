"""What was said and what is written, word by word, as a page shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wavemill.hypotheses.scoring.texts import edits

SAME, FIXED = "same", "fixed"
INSERTED, DELETED, REPLACED = "inserted", "deleted", "replaced"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Words that follow each other, of one kind."""

    kind: str
    said: str
    """Of the reference; empty of what was inserted."""
    written: str
    """Of the text; empty of what was deleted."""
    is_new: bool = False
    """Whether it is an error that was not there before."""


def changes(
    reference: Sequence[str], text: Sequence[str], before: Sequence[str] | None = None
) -> list[Piece]:
    """Align a text with its reference.

    Args:
        reference: words that were said.
        text: words that are written.
        before: those that were written before they were corrected; None where nothing was.

    Returns:
        All words of both, in order; of those that are right, `fixed` are not so in `before`.

    Raises:
        UsageError: rapidfuzz is not installed.

    """
    old = None if before is None else set(_errors(reference, before))
    found: list[Piece] = []
    for kind, begin, end, other, other_end in edits(reference, text):
        written = text[other:other_end]
        if kind == "insert":
            new = old is not None and (begin, tuple(written)) not in old
            found.append(Piece(kind=INSERTED, said="", written=" ".join(written), is_new=new))
            continue
        for place in range(begin, end):
            was_wrong = old is not None and place in old
            said = reference[place]
            if kind == "equal":
                found.append(Piece(kind=FIXED if was_wrong else SAME, said=said, written=said))
                continue
            found.append(
                Piece(
                    kind=DELETED if kind == "delete" else REPLACED,
                    said=said,
                    written="" if kind == "delete" else written[place - begin],
                    is_new=old is not None and not was_wrong,
                )
            )
    return found


def _errors(
    reference: Sequence[str], text: Sequence[str]
) -> Iterator[int | tuple[int, tuple[str, ...]]]:
    """Yield places of the reference that are wrong, and what is inserted before a place."""
    for kind, begin, end, other, other_end in edits(reference, text):
        if kind == "insert":
            yield begin, tuple(text[other:other_end])
        elif kind != "equal":
            yield from range(begin, end)
