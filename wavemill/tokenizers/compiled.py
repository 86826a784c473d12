"""Loops that numba compiles: what numpy would do in many calls of a microsecond each.

Machine code is kept where numba keeps it: in `__pycache__` beside the source, or where that cannot
be written, in the user's cache folder (`NUMBA_CACHE_DIR` names another). It is kept for one version
of the source and one kind of processor, and written whole or not at all, so workers may share it.
What is here is no part of that source: after a change of `rules`, remove `__pycache__`.
"""

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

FUSED = frozenset({"contract", "nsz"})
"""A product and a sum may be one step. Nothing is assumed of NaN and infinity."""


def compiled(function: Function, rules: frozenset[str] = FUSED) -> Function:
    """Compile a function when it is first called; in each process anew if nothing can be kept."""
    try:
        return numba.njit(function, cache=True, fastmath=set(rules))  # type: ignore[no-any-return]
    except RuntimeError:  # there is no place for a cache
        return numba.njit(function, fastmath=set(rules))  # type: ignore[no-any-return]


def compiled_sums(function: Function) -> Function:
    """Compile a function whose sums may be made in any order, hence in vectors."""
    return compiled(function, FUSED | {"reassoc"})
