"""Compiled loops work where their machine code can be kept, and where it cannot."""

from pathlib import Path
from typing import Any

import pytest

from wavemill.tokenizers.compiled import compiled

SOURCE = "def add(a, b):\n    return a + b\n"


def make(place: str) -> Any:
    names: dict[str, Any] = {}
    exec(compile(SOURCE, place, "exec"), names)
    return compiled(names["add"])


def test_code_is_kept_beside_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "loops.py").write_text(SOURCE)
    assert make(str(tmp_path / "loops.py"))(1, 2) == 3
    assert list((tmp_path / "__pycache__").glob("loops.add-*.nbc"))


def test_without_a_place_to_keep_code_it_is_compiled_anew() -> None:
    assert make("<nowhere>")(1, 2) == 3
