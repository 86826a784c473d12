"""A job on a store that falters is killed again and again, and ends with the same bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cases import CASES, Corpus
from tests.faults.harness import Harness, play
from tests.storage.bucket import Bucket
from tests.store_server import StoreServer

SHARE = 0.05


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    """A store of its own: what was killed may still talk to it."""
    running = StoreServer()
    running.make_bucket()
    yield running
    running.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "first"), [("one", 0), ("two", 10)])
def test_a_job_on_a_store_may_be_killed_again_and_again(
    server: StoreServer, name: str, first: int, tmp_path: Path
) -> None:
    corpus = Corpus(tmp_path)
    harness = Harness(
        case=CASES[name](corpus, name),
        place=Bucket(server, f"{name}-out", share=SHARE, seed=first),
        environment={
            **server.environment, "FSSPEC_S3": '{"config_kwargs": {"read_timeout": 1}}',
        },
    )  # fmt: skip
    rounds = play(harness, range(first, first + 10), seed=11, kills=2, say=print)
    assert [done.different for done in rounds] == [[]] * len(rounds)
    assert all(done.kills for done in rounds)
    assert server.counts()["PUT"] > 1000
