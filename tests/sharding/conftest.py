"""Datasets to damage."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import wavemill
from tests.sharding.damage import EFFECTS


@pytest.fixture
def out(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared dataset, to be damaged."""
    copy = tmp_path / "out"
    shutil.copytree(prepared, copy, ignore=shutil.ignore_patterns("_work"))
    return copy


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound effects with a field of their own, prepared without tokens; not to be changed."""
    folder = tmp_path_factory.mktemp("labelled") / "effects"
    done = wavemill("prepare", EFFECTS, "--out", folder, "--buckets", 1)
    assert done.code == 0, done.err
    return folder
