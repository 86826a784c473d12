from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from tests.store_server import BUCKET, StoreServer
from wavemill import storage


@pytest.fixture(params=["s3", "memory"])
def url(request: pytest.FixtureRequest, store: StoreServer) -> Iterator[str]:
    """The place of a file that is not there."""
    place = f"s3://{BUCKET}/conditions/x" if request.param == "s3" else "memory://conditions/x"
    storage.remove(place)
    yield place
    storage.remove(place)
    store.faults()


def test_a_file_is_made_once_and_replaced_by_who_saw_it_last(url: str) -> None:
    assert storage.look(url) is None
    first = storage.put_if(url, b"1", None)
    assert first is not None
    assert storage.put_if(url, b"2", None) is None
    second = storage.put_if(url, b"2", first)
    assert second is not None
    assert storage.put_if(url, b"3", first) is None
    held = storage.look(url)
    assert held is not None
    assert (held.data, held.version) == (b"2", second)
    assert -2 < held.age_seconds < 60
    storage.remove_if(url, first)
    assert storage.look(url) is not None
    storage.remove_if(url, second)
    assert storage.look(url) is None
    assert storage.put_if(url, b"4", second) is None


@pytest.mark.usefixtures("store")
def test_of_many_takers_one_wins() -> None:
    url = f"s3://{BUCKET}/conditions/many"
    storage.remove(url)
    version = None
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(5):
            put = [
                pool.submit(storage.put_if, url, b"%d %d" % (round_, taker), version)
                for taker in range(8)
            ]
            won = [one.result() for one in put if one.result() is not None]
            assert len(won) == 1
            version = won[0]


def test_an_answer_that_is_lost_leaves_what_was_written(store: StoreServer) -> None:
    url = f"s3://{BUCKET}/conditions/lost"
    storage.remove(url)
    store.faults(kind="lost", times=1, verbs=["PUT"])
    assert storage.put_if(url, b"mine", None) is None
    held = storage.look(url)
    assert held is not None
    assert held.data == b"mine"


def test_every_writing_has_a_version_of_its_own(url: str) -> None:
    versions: list[str | None] = [None]
    for number in range(4):
        versions.append(storage.put_if(url, str(number).encode(), versions[-1]))
    assert all(one and one != other for other, one in pairwise(versions))
