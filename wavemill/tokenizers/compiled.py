"""Loops that numba compiles: what numpy would do in many calls of a microsecond each.

Machine code is kept where numba keeps it: in `__pycache__` beside the source, or where that cannot
be written, in the user's cache folder (`NUMBA_CACHE_DIR` names another). It is kept for one version
of the source and one kind of processor, and written whole or not at all, so workers may share it.
"""

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

REORDERED_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be made in another order, hence in vectors. Nothing is assumed of NaN and infinity."""


def compiled(function: Function) -> Function:
    """Compile a function when it is first called; in each process anew if no folder can be kept."""
    try:
        return numba.njit(function, cache=True, fastmath=REORDERED_SUMS)  # type: ignore[no-any-return]
    except RuntimeError:  # there is no place for a cache
        return numba.njit(function, fastmath=REORDERED_SUMS)  # type: ignore[no-any-return]
