"""Batches of utterances: the contract of `ShardLoader`."""

from collections import Counter
from pathlib import Path

import pytest

from tests.hypotheses.drawn import make_folder
from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.loader import HypothesesLoader
from wavemill.hypotheses.records import Hypothesis, Utterance
from wavemill.loader.split import Split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> HypothesesFolder:
    utterances = [
        Utterance(
            id=str(number),
            recording_id="one",
            hypotheses=(Hypothesis(text="word " * (number % 9 + 1), score=-1.0),),
            reference=None if number % 10 == 9 else "said",
            split="test" if number % 10 == 8 else "train",
        )
        for number in range(100)
    ]
    return make_folder(utterances, tmp_path_factory.mktemp("hypotheses"))


def _loader(folder: HypothesesFolder, **settings: object) -> HypothesesLoader:
    return HypothesesLoader([folder], **{"splits": ("train",), "batch_size": 7, **settings})  # type: ignore[arg-type]


def _keys(loader: HypothesesLoader) -> list[list[str]]:
    return [batch.keys for batch in loader]


def test_each_utterance_with_a_reference_comes_once_an_epoch(folder: HypothesesFolder) -> None:
    loader = _loader(folder)
    first, second = _keys(loader), _keys(loader)
    for epoch in (first, second):
        assert Counter(key for keys in epoch for key in keys) == Counter(
            str(number) for number in range(100) if number % 10 < 8
        )
    assert first != second
    assert first == _keys(_loader(folder))
    assert first != _keys(_loader(folder, seed=1))


def test_a_batch_holds_no_more_characters_than_it_may(folder: HypothesesFolder) -> None:
    for batch in _loader(folder, batch_size=None, batch_tokens=200):
        longest = max(len(one.best) + len(one.reference or "") for one in batch.utterances)
        assert len(batch) == 1 or longest * len(batch) <= 200


def test_it_goes_on_after_any_batch(folder: HypothesesFolder) -> None:
    batches = list(_loader(folder))
    for done in (1, 4, len(batches)):
        again = _loader(folder)
        again.load_state_dict(batches[done - 1].state)
        assert _keys(again)[: len(batches) - done] == [one.keys for one in batches[done:]] or (
            done == len(batches)
        )
        assert again.state_dict()["epoch"] == (2 if done == len(batches) else 1)


def test_two_ranks_share_what_one_that_accumulates_takes(folder: HypothesesFolder) -> None:
    alone = _keys(_loader(folder, accumulate=2))
    ranks = [_keys(_loader(folder, rank=rank, world_size=2)) for rank in (0, 1)]
    assert alone == [keys for step in zip(*ranks, strict=True) for keys in step]


def test_what_is_held_out_and_the_rest_are_all(folder: HypothesesFolder) -> None:
    parts = [
        {
            key
            for keys in _keys(_loader(folder, split=Split(share=0.3, held_out=held)))
            for key in keys
        }
        for held in (True, False)
    ]
    assert len(parts[0] | parts[1]) == 80
    assert not parts[0] & parts[1]


def test_a_state_of_other_settings_is_refused(folder: HypothesesFolder) -> None:
    state = next(iter(_loader(folder))).state
    with pytest.raises(UsageError, match="other settings"):
        _loader(folder, seed=3).load_state_dict(state)


def test_where_there_is_nothing_to_learn_from_it_says_so(tmp_path: Path) -> None:
    folder = make_folder([], tmp_path)
    with pytest.raises(DatasetError, match="nothing to learn from"):
        _loader(folder)
