"""The 39 phones of the CMU dictionary: one character each, and how near they are to each other."""

import numpy as np
import numpy.typing as npt

_FEATURES = """
    P stop labial unvoiced    B stop labial voiced       T stop alveolar unvoiced
    D stop alveolar voiced    K stop velar unvoiced      G stop velar voiced
    CH affricate palatal unvoiced   JH affricate palatal voiced
    F fricative labial unvoiced     V fricative labial voiced
    TH fricative dental unvoiced    DH fricative dental voiced
    S fricative alveolar unvoiced   Z fricative alveolar voiced
    SH fricative palatal unvoiced   ZH fricative palatal voiced   HH fricative glottal unvoiced
    M nasal labial voiced     N nasal alveolar voiced    NG nasal velar voiced
    L liquid alveolar voiced  R liquid palatal voiced
    W glide labial voiced     Y glide palatal voiced
    IY high front long    IH high front short   EY mid front long    EH mid front short
    AE low front short    AA low back long      AO mid back long     OW mid back round
    UH high back short    UW high back long     AH mid central short ER mid central rhotic
    AY low rising front   AW low rising back    OY mid rising front
"""
_ROWS = [_FEATURES.split()[start : start + 4] for start in range(0, 4 * 39, 4)]
NAMES = tuple(sorted(row[0] for row in _ROWS))
"""As ARPAbet names them."""
FEATURES = {row[0]: tuple(row[1:]) for row in _ROWS}
VOWELS = frozenset(name for name in NAMES if name[0] in "AEIOU")
FIRST = "A"
CHARACTERS = {name: chr(ord(FIRST) + number) for number, name in enumerate(NAMES)}
"""So that a pronunciation is a string, of which edit distances are quick."""
COUNT = len(NAMES)
NONE = COUNT
"""Stands for no phone, where a phone is looked up by number."""


def encoded(names: str) -> str:
    """Turn names with blanks between them into a string of one character a phone.

    Raises:
        KeyError: there is no such phone.

    """
    return "".join(CHARACTERS[name.rstrip("012")] for name in names.split())


def decoded(phones: str) -> str:
    """Turn a string of phones back into names with blanks between them."""
    return " ".join(NAMES[ord(phone) - ord(FIRST)] for phone in phones)


def numbers(phones: str) -> list[int]:
    """Return the numbers of phones."""
    return [ord(phone) - ord(FIRST) for phone in phones]


def differences() -> npt.NDArray[np.float64]:
    """Return how many of three features differ between two phones, [39, 39].

    A vowel and a consonant differ in four.
    """
    return np.array(
        [
            [
                4.0
                if (one in VOWELS) != (other in VOWELS)
                else sum(a != b for a, b in zip(FEATURES[one], FEATURES[other], strict=True))
                for other in NAMES
            ]
            for one in NAMES
        ]
    )
