"""Systems that are compared, and the table of what is counted of each utterance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wavemill.hypotheses.scoring.texts import Counts

BEST = "1-best"
NBEST_ORACLE = "o_nb"
COMPOSITIONAL_ORACLE = "o_cp"
VOTE = "vote"


@dataclass(frozen=True, kw_only=True)
class System:
    """Something that says what was said."""

    name: str
    kind: str
    """`recognizer`, `oracle`, `vote`, or that of its corrections."""
    has_characters: bool = True
    """Whether errors in characters mean anything for it."""


OWN = (
    System(name=BEST, kind="recognizer"),
    System(name=NBEST_ORACLE, kind="oracle"),
    System(name=COMPOSITIONAL_ORACLE, kind="oracle", has_characters=False),
    System(name=VOTE, kind="vote"),
)
"""Those that hypotheses alone make; the first is what others are compared with."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Counts of each utterance that has a reference, U, for each system, S."""

    systems: Sequence[System]
    words: Counts
    """[U], of the reference."""
    characters: Counts
    """[U]"""
    word_errors: Counts
    """[U, S]"""
    character_errors: Counts
    """[U, S]"""
    labels: Mapping[str, Sequence[str]]
    """By what is grouped: [U]."""
    missing: Sequence[int]
    """[S], utterances for which the 1-best stands in."""
    flags: Sequence[Mapping[str, int]]
    """[S], how often each."""
    without_reference: int
    without_hypotheses: int
    """Of those that have a reference."""
    short: int
    """Likewise, with fewer hypotheses than were asked for."""
