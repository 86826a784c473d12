"""The job's dataset as one process of this machine makes it: what every engine has to make."""

from pathlib import Path

import pytest

from tests.engines.engines import make


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of the dataset, by their digests."""
    out: Path = tmp_path_factory.mktemp("expected") / "out"
    found = make(out, ["--workers", "1"])
    assert sum(name.startswith("_work/segments") for name in found) > 3
    return found
