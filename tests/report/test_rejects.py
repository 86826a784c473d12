"""Rejects are counted by reason, and copies go with what was kept."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.copies import nearly_same_as, read_copy, same_as
from wavemill.report.rejects import read_rejects
from wavemill.sharding.dataset import Dataset


@settings(max_examples=40)
@given(st.text(), st.floats(0, 1))
def test_the_words_for_a_copy_are_read_back(kept: str, like: float) -> None:
    assert read_copy(same_as(kept)) == (kept, None)
    assert read_copy(nearly_same_as(kept, like)) == (kept, round(like, 3))


def test_other_words_are_no_copy() -> None:
    assert read_copy("the file has no bytes") is None


def test_rejects_have_reasons_examples_and_groups(evil: Path) -> None:
    found = read_rejects(Dataset.open(str(evil)))
    assert [(one.name, one.count) for one in found.reasons] == [
        ("duplicate-audio", 1), ("missing-file", 1),
    ]  # fmt: skip
    assert len(found.reasons[1].examples) == 1
    assert (found.num_groups, found.num_copies, found.whole) == (1, 1, True)
    assert found.groups[0].copies[0][1] is None
