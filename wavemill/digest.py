"""Stable digests: the same value gives the same digest on every machine, today and next year."""

import hashlib
import json
from typing import Any


def digest(value: Any, *, size: int = 8) -> str:
    """Digest a string, bytes or anything JSON can hold, as `2 * size` hexadecimal digits."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    elif not isinstance(value, bytes):
        value = canonical(value)
    return hashlib.blake2b(value, digest_size=size).hexdigest()


def canonical(value: Any) -> bytes:
    """Write JSON in the one way of which digests are taken: sorted, without blanks, in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest_number(value: Any) -> int:
    """Digest like `digest`, as a number of 64 bits."""
    return int(digest(value), 16)


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes, as `sha256sum` prints it."""
    return hashlib.sha256(data).hexdigest()
