"""A job that is killed again and again ends with the bytes of one that nobody disturbed."""

from pathlib import Path

import pytest

from tests.faults.cases import CASES, Corpus
from tests.faults.harness import Harness, play
from tests.faults.places import Folder
from tests.faults.warm import WarmServer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("name", ["one", "add-clean"])
def test_a_killed_job_ends_with_the_same_bytes(
    name: str, few: Corpus, warm: WarmServer, tmp_path: Path
) -> None:
    case, place = CASES[name](few, name), Folder(tmp_path / "out")
    harness = Harness(case=case, place=place, start=warm.start)
    (done,) = play(harness, [1], seed=7, kills=3, say=print)
    assert done.different == []
    assert done.kills


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_job_may_be_killed_again_and_again(
    name: str, corpus: Corpus, tmp_path: Path
) -> None:
    harness = Harness(case=CASES[name](corpus, name), place=Folder(tmp_path / "out"))
    rounds = play(harness, range(2), seed=5, kills=3, say=print)
    assert [done.different for done in rounds] == [[], []]
    assert all(done.kills for done in rounds)
