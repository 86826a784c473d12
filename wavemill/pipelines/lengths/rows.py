"""What a row of a table of lengths may hold, row by row: slow, and says what is wrong."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from wavemill.errors import RejectedError
from wavemill.records import INVALID_ROW

MAX_SECONDS = 100_000_000
"""Three years; of any length, sums over a corpus would lose the short ones."""
MAX_TOKENS = 10**12


def read_row(row: Mapping[str, Any], stream: str | None) -> tuple[str, float, int]:
    """Read {"id", "duration", "tokens"}; numbers are numbers, not their text.

    Args:
        row: of the table.
        stream: which of several token streams counts; the longest if none is named.

    Raises:
        RejectedError: something is missing or not what it should be.

    """
    name, duration = row.get("id"), row.get("duration")
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise wrong(f"id is {name!r}, expected text")
    if not _is_number(duration, int | float) or not 0 < duration <= MAX_SECONDS:
        raise wrong(f"duration is {duration!r}, expected seconds, over 0 up to {MAX_SECONDS}")
    return str(name), float(duration), _read_tokens(row.get("tokens"), stream)


def _read_tokens(tokens: Any, stream: str | None) -> int:
    if isinstance(tokens, Mapping):
        lengths = {name: _read_count(value) for name, value in tokens.items() if value is not None}
        if stream is None:
            return max(lengths.values(), default=0)
        if stream not in lengths:
            has = ", ".join(sorted(lengths)) or "none"
            raise wrong(f"tokens has no stream {stream!r} (--stream); it has: {has}")
        return lengths[stream]
    if stream is not None:
        raise wrong(f"tokens is {tokens!r}, expected an object with the stream {stream!r}")
    return _read_count(0 if tokens is None else tokens)


def _read_count(tokens: Any) -> int:
    # Tables that had empty cells write whole numbers as 7.0.
    whole = _is_number(tokens, int | float) and tokens == tokens // 1
    if not whole or not 0 <= tokens <= MAX_TOKENS:
        raise wrong(f"tokens is {tokens!r}, expected a whole number, 0 to {MAX_TOKENS}")
    return int(tokens)


def _is_number(value: Any, kind: Any) -> TypeGuard[float]:
    return isinstance(value, kind) and not isinstance(value, bool)


def wrong(words: str) -> RejectedError:
    """Make the error of a row that cannot be used."""
    return RejectedError(INVALID_ROW, words)
