"""A dataset to train on."""

from pathlib import Path

import pytest

from tests.sharding.drawn import make_dataset, token_samples


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn tokens of 120 clips; not to be changed."""
    return make_dataset(token_samples(120, 0.6), tmp_path_factory.mktemp("drawn"), "none", 0.2)
