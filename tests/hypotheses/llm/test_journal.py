"""What was answered stands, wherever a process ends; what was sent is counted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import JobError
from wavemill.hypotheses.llm.base import Answer
from wavemill.hypotheses.llm.journal import opened, read

ONE = Answer(text="he said\nso \u00fc", is_cut=False, prompt_tokens=7, completion_tokens=3)
EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["sent", "answered", "free", "lost"])),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(events=EVENTS, cut=st.floats(0, 1))
def test_a_journal_that_is_cut_anywhere_is_that_of_its_whole_lines(
    events: list[tuple[str, str]], cut: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with opened(folder / "whole") as journal:
        for key, kind in events:
            if kind == "sent":
                journal.sent(key, 100, 10)
            elif kind == "answered":
                journal.answered(key, ONE)
            else:
                journal.failed(key, is_billed=kind == "lost")
    data = (folder / "whole").read_bytes()
    data = data[: round(cut * len(data))]
    (folder / "cut").write_bytes(data)
    end = data.rfind(b"\n") + 1
    # A line that lacks its end alone is whole, too.
    (folder / "lines").write_bytes(data + b"\n" if data[end:].endswith(b"}") else data[:end])
    with opened(folder / "cut") as journal, opened(folder / "lines") as expected:
        keys = set(expected.keys())
        assert set(journal.keys()) == keys
        assert all(journal.get(key) == ONE for key in keys)
        assert journal.answered_tokens == expected.answered_tokens
        assert journal.lost_tokens == expected.lost_tokens
        journal.answered("d", ONE)
    with opened(folder / "cut") as journal:
        assert set(journal.keys()) == {*keys, "d"}
    assert set(read(folder / "cut")) == {*keys, "d"}


def test_what_was_sent_before_a_process_ended_may_have_cost_the_most(tmp_path: Path) -> None:
    for lost in (0, 100, 200):
        with opened(tmp_path / "journal") as journal:
            assert journal.lost_tokens == [lost, lost // 10]
            journal.sent("a", 100, 10)
    with opened(tmp_path / "journal") as journal:
        journal.answered("a", ONE)
        assert journal.answered_tokens == [7, 3]


def test_a_second_job_is_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "journal"),
        pytest.raises(JobError, match="in use"),
        opened(tmp_path / "journal"),
    ):
        pass
