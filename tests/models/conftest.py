"""What the tests of models share."""

from collections.abc import Iterator

import pytest

from wavemill.tokenizers.threads import torch_threads


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """More threads than free cores would only wait for each other."""
    with torch_threads(1):
        yield
