"""Datasets to load."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import SPEECH
from tests.sharding.drawn import CODEC, clip_samples, make_dataset, stream, token_samples

SYLLABLES = stream("syllables", None, 1, 1000)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn tokens of 400 clips in several shards of two buckets; not to be changed."""
    return make_dataset(token_samples(400, 3.0), tmp_path_factory.mktemp("tokens"), "none", 0.2)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real audio with drawn tokens on two clocks; not to be changed."""
    streams = (CODEC, SYLLABLES)
    samples = clip_samples(SPEECH / "audio", 40, streams)
    return make_dataset(samples, tmp_path_factory.mktemp("clips"), "flac", 0.5, streams)


@pytest.fixture
def damaged(tokens: Path, tmp_path: Path) -> Path:
    """A copy of the tokens, to be damaged."""
    copy = tmp_path / "damaged"
    shutil.copytree(tokens, copy)
    return copy
