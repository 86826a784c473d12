"""Layouts by the name that `layout=` takes."""

from wavemill.models.token_lm.delay import Delay
from wavemill.models.token_lm.dual_ar import DualAr
from wavemill.models.token_lm.flat import Flat
from wavemill.models.token_lm.hierarchical import Hierarchical
from wavemill.models.token_lm.layout import Layout
from wavemill.models.token_lm.masked import Masked

LAYOUTS: dict[str, type[Layout]] = {
    "delay": Delay,
    "flat": Flat,
    "hierarchical": Hierarchical,
    "dual-ar": DualAr,
    "masked": Masked,
}
"""Name -> model. One row a layout."""
