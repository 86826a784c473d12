"""What `setup.py` says, without building anything."""

import runpy
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parent.parent


@lru_cache
def setup_arguments() -> dict[str, Any]:
    """Return the arguments that `setup.py` calls `setuptools.setup` with."""
    with mock.patch("setuptools.setup") as setup, mock.patch.object(sys, "path", [*sys.path]):
        runpy.run_path(str(ROOT / "setup.py"))
    return dict(setup.call_args.kwargs)
