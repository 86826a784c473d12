"""What is held out, and steps of several batches of a rank."""

from pathlib import Path
from typing import Any

import pytest

from wavemill.errors import UsageError
from wavemill.loader import ShardLoader
from wavemill.loader.split import Split

SHARE = 0.2


def keys(data: Any, **settings: Any) -> list[list[str]]:
    return [batch.keys for batch in ShardLoader(data, batch_seconds=30, **settings)]


def flat(batches: list[list[str]]) -> list[str]:
    return [key for batch in batches for key in batch]


def held(data: Any, **settings: Any) -> set[str]:
    split = Split(share=SHARE, held_out=True)
    return {key for batch in keys(data, split=split, **settings) for key in batch}


def test_each_sample_is_either_held_out_or_trained_on(tokens: Path) -> None:
    train = flat(keys(tokens, split=Split(share=SHARE)))
    rest = held(tokens)
    assert len(train) == len(set(train))
    assert set(train) | rest == set(flat(keys(tokens)))
    assert not set(train) & rest
    assert 0.1 < len(rest) / 400 < 0.3


def test_what_is_held_out_depends_on_no_setting_of_the_order(tokens: Path, clips: Path) -> None:
    rest = held(tokens)
    assert held(tokens, seed=7) == rest
    assert held(tokens, window=100) == rest
    both = held({str(clips): 1.0, str(tokens): 1.0}, streams=["codec"])
    assert both == rest | held(clips, streams=["codec"])


def test_a_state_of_another_split_is_refused(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_seconds=30, split=Split(share=SHARE))
    state = next(iter(loader)).state
    other = ShardLoader(tokens, batch_seconds=30, split=Split(share=0.3))
    with pytest.raises(UsageError, match="other settings"):
        other.load_state_dict(state)


@pytest.mark.parametrize("share", [0.0, 0.95, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="held out"):
        Split(share=share)


@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 4), (2, 2), (4, 1)])
def test_a_step_has_the_same_batches_on_any_number_of_ranks(
    tokens: Path, ranks: int, accumulate: int
) -> None:
    parts = [
        keys(tokens, rank=rank, world_size=ranks, accumulate=accumulate) for rank in range(ranks)
    ]
    steps = [
        [own[step * accumulate + part] for own in parts for part in range(accumulate)]
        for step in range(len(parts[0]) // accumulate)
    ]
    whole = keys(tokens, rank=0, world_size=1, accumulate=4)
    assert steps == [whole[step : step + 4] for step in range(0, len(whole), 4)]


def test_a_state_within_a_step_is_that_before_it_and_serves_other_ranks(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_seconds=30, rank=0, world_size=1, accumulate=2)
    batches = list(loader)
    assert batches[2].state == batches[1].state != batches[3].state
    rest = []
    for rank in range(2):
        other = ShardLoader(tokens, batch_seconds=30, rank=rank, world_size=2)
        other.load_state_dict(batches[2].state)
        rest.append([batch.keys for batch in other])
    assert [list(pair) for pair in zip(*rest, strict=True)] == [
        [batches[step].keys, batches[step + 1].keys] for step in range(2, len(batches), 2)
    ]
