"""What the tests of tokenizers share."""

from collections.abc import Iterator
from typing import Any

import pytest

from wavemill.tokenizers.threads import torch_threads


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in a worker; and more threads than free cores would only wait for each other."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings for a small tokenizer of every kind; its files are not to be changed."""
    for package in ("transformers", "openbeats", "faiss"):
        pytest.importorskip(package)
    from tests.tokenizers.small_models import MODELS  # loads all of these

    found = {}
    for label, model in MODELS.items():
        found[label] = model.write(tmp_path_factory.mktemp(label.replace("/", "-")))
    return found
