"""When Python looks for cycles: hardly while modules load, of which nothing goes, and then as ever.

To load torch and Beam makes a million objects, and to look through them time and again took a fifth
of a command's start. The first stage that a command shows ends it, or a worker's first step.
"""

import gc

LOADING = (100_000, 50, 100)
_usual = gc.get_threshold()


def begin_loading() -> None:
    """Look for cycles rarely from now on."""
    gc.set_threshold(*LOADING)


def end_loading() -> None:
    """Look for them as often as ever, but not in what is loaded; do nothing unless it was begun."""
    if gc.get_threshold() == LOADING:
        gc.freeze()
        gc.set_threshold(*_usual)
