"""What is written down of speech: texts made plain, and the ids that spell them."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Protocol

from wavemill.errors import UsageError

_APOSTROPHES = str.maketrans("\u2019\u02bc\u2018`", "''''")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")
_SPELT = ("L", "M", "N")
"""General categories of Unicode: letters, marks, numbers."""


def normalize(text: str) -> str:
    """Make a text plain: lower case, no punctuation, single spaces.

    Digits stay, and apostrophes within words; other characters that are no letters become spaces.
    """
    plain = unicodedata.normalize("NFKC", text).lower().translate(_APOSTROPHES)
    spelt = "".join(
        char if char == "'" or unicodedata.category(char)[0] in _SPELT else " " for char in plain
    )
    return " ".join(_LONE_APOSTROPHE.sub(" ", spelt).split())


class Vocabulary(Protocol):
    """Units that texts are spelt with."""

    size: int
    """How many there are; ids are 0 to `size - 1`."""

    def encode(self, text: str) -> list[int]:
        """Spell a plain text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that ids spell, whatever they are."""
        ...


class Bytes:
    """UTF-8, byte by byte: every language, and nothing to be found out about the texts."""

    size = 256

    def encode(self, text: str) -> list[int]:
        """Spell a plain text."""
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text; bytes that are no UTF-8 are left out."""
        return " ".join(bytes(ids).decode(errors="ignore").split())


class Characters:
    """The characters of an alphabet, and the space. Others are left out of texts."""

    def __init__(self, alphabet: str) -> None:
        """Take the characters, in any order.

        Raises:
            UsageError: there are none, or one that `normalize` never leaves.

        """
        self._characters = sorted({" ", *unicodedata.normalize("NFKC", alphabet)})
        wrong = [one for one in self._characters if one not in " '" and normalize(one) != one]
        if len(self._characters) < 2 or wrong:
            raise UsageError(
                f"alphabet={alphabet}: give lower-case letters, digits and ', with nothing between;"
                f" {' '.join(wrong) or 'nothing'} is none"
            )
        self.size = len(self._characters)
        self._ids = {character: number for number, character in enumerate(self._characters)}

    def encode(self, text: str) -> list[int]:
        """Spell a plain text."""
        known = "".join(character for character in text if character in self._ids)
        return [self._ids[character] for character in " ".join(known.split())]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text."""
        return " ".join("".join(self._characters[number] for number in ids).split())
