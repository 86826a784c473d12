"""Splits: what belongs together stays together, whatever else comes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hypotheses.drawn import UTTERANCES
from wavemill.errors import UsageError
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.splits import BY, SPLITS, Splitting

WAYS = st.builds(
    Splitting,
    by=st.sampled_from(BY),
    shares=st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]),
    seed=st.integers(0, 5),
)


@given(utterances=st.lists(UTTERANCES, max_size=20), way=WAYS)
def test_a_group_lies_in_one_split_and_an_empty_share_holds_none(
    utterances: Sequence[Utterance], way: Splitting
) -> None:
    splits: dict[object, set[str]] = {}
    for one in utterances:
        split = way.of(one)
        assert way.shares[SPLITS.index(split)] > 0
        value = {"speaker": one.speaker, "text": one.reference}.get(way.by)
        splits.setdefault(value if value is not None else (one.recording_id,), set()).add(split)
    assert all(len(found) == 1 for found in splits.values())


@given(one=UTTERANCES, way=WAYS)
def test_nothing_else_of_an_utterance_matters(one: Utterance, way: Splitting) -> None:
    other = replace(one, id="other", hypotheses=(), split="test", custom={})
    assert way.of(other) == way.of(one)


def test_shares_are_kept() -> None:
    way = Splitting.parse("recording", "0.7,0.1,0.2", 3)
    ones = [Utterance(id=str(n), recording_id=str(n), hypotheses=()) for n in range(4000)]
    found = [way.of(one) for one in ones]
    shares = [found.count(split) / len(ones) for split in SPLITS]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)


@pytest.mark.parametrize("shares", ["0.8,0.1", "0.8,0.1,0.2", "a,b,c", "1.5,-0.5,0"])
def test_shares_that_make_no_whole_are_refused(shares: str) -> None:
    with pytest.raises(UsageError, match="--splits"):
        Splitting.parse("recording", shares, 0)


def test_what_splits_go_by_is_checked() -> None:
    with pytest.raises(UsageError, match="--split-by mood"):
        Splitting(by="mood")
