"""What the tests of faults share: a process that starts jobs quickly, and a small corpus."""

from collections.abc import Iterator

import pytest

from tests.faults.cases import Corpus
from tests.faults.warm import WarmServer


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmServer]:
    with WarmServer() as server:
        yield server


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory, warm: WarmServer) -> Corpus:
    """A quarter of the example's utterances."""
    return Corpus(tmp_path_factory.mktemp("few"), count=15, start=warm.start)
