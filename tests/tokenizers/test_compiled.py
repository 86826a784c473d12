"""Compiled loops work where their machine code can be kept, and where it cannot."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from wavemill.tokenizers.compiled import compiled

SOURCE = "def add(a, b):\n    return a + b\n"


def test_code_is_kept_beside_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "loops_kept.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    add: Any = compiled(importlib.import_module("loops_kept").add)
    assert add(1, 2) == 3
    assert list((tmp_path / "__pycache__").glob("loops_kept.add-*.nbc"))


def test_without_a_place_to_keep_code_it_is_compiled_anew() -> None:
    names: dict[str, Any] = {}
    exec(compile(SOURCE, "<nowhere>", "exec"), names)
    add: Any = compiled(names["add"])
    assert add(1, 2) == 3
