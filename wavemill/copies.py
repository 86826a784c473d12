"""What `rejected.jsonl` says of a sample that is a copy of another: written here, and read back."""

import re

_WORDS = re.compile(
    r"(?:nearly )?the same audio as (?P<kept>.*), which is kept(?:: similarity (?P<like>[\d.]+))?",
    re.DOTALL,
)


def same_as(kept: str) -> str:
    """Say that a sample has the same audio as the one with this id."""
    return f"the same audio as {kept}, which is kept"


def nearly_same_as(kept: str, like: float) -> str:
    """Say that a sample has nearly the same audio as another, and how similar they are."""
    return f"nearly {same_as(kept)}: similarity {like:.3f}"


def read_copy(detail: str) -> tuple[str, float | None] | None:
    """Return the id that was kept, and how similar the copy is if not the same.

    None of other words.
    """
    found = _WORDS.fullmatch(detail)
    return found and (found["kept"], float(found["like"]) if found["like"] else None)
