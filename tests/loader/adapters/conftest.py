"""What the loader gives of every kind of dataset, for the adapters to be held to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from wavemill.loader import Sample, ShardLoader

Loaded = Callable[..., dict[str, Any]]
"""Gives samples by their keys."""


@pytest.fixture(params=["tokens", "clips"])
def data(request: pytest.FixtureRequest) -> Path:
    """A dataset without audio, and one with audio and a stream on an irregular clock."""
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture(scope="session")
def loaded() -> Loaded:
    """Load all samples with the loader, by their keys."""

    def load(data: Path, **options: Any) -> dict[str, Any]:
        def keep(samples: Sequence[Sample]) -> Sequence[Sample]:
            return samples

        loader = ShardLoader(data, cuts=True, batch_size=8, collate=keep, **options)
        return {sample.key: sample for batch in loader for sample in batch}

    return load
