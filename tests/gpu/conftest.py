"""What is for a real GPU: `pytest -m gpu tests/gpu`; elsewhere all of it is skipped."""

from pathlib import Path

import pytest
import torch

from tests.tokenizers.conftest import written

__all__ = ["written"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder, and skip it where there is no GPU."""
    here = Path(__file__).parent
    skip = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(skip)
