"""A server is asked what is needed, again where it falters, and nothing that it has answered."""

import itertools
import json
import socket
import time
from pathlib import Path

import pytest

from tests.hypotheses.llm.chat_server import STORM, ChatServer
from tests.hypotheses.llm.conftest import KEY, MOST, Opened, ask, said
from wavemill.errors import JobError
from wavemill.hypotheses.llm.budget import Budget, BudgetError


def test_answers_come_in_order_and_the_same_is_asked_once(chat: ChatServer, client: Opened) -> None:
    numbers = [3, 1, 2, 1, 3, 0]
    with client() as one:
        answers = list(one.answers(ask(number) for number in numbers))
    assert [answer and answer.text for answer in answers] == [said(number) for number in numbers]
    assert set(chat.answered().values()) == {1}
    assert {row["key"] for row in chat.log()} == {f"Bearer {KEY}"}


def test_a_storm_passes_and_a_second_run_asks_nothing(chat: ChatServer, client: Opened) -> None:
    chat.tell(share=0.3, kinds=STORM, stall=2, retry_after=0.05, seed=1)
    for kept in (0, 60):
        with client(timeout=1) as one:
            answers = list(one.answers(ask(number) for number in range(60)))
        assert [answer and answer.text for answer in answers] == [said(n) for n in range(60)]
        assert one.tally.kept == kept
        assert one.tally.unanswered == 0
    assert chat.answered() == {row["asked"]: 1 for row in chat.log()}
    assert set(STORM) < set(chat.counts())


def test_questions_are_taken_up_as_answers_are_taken(client: Opened) -> None:
    taken = itertools.count()
    with client(concurrency=2) as one:
        answers = one.answers(ask(next(taken)) for _ in range(5000))
        assert next(answers) is not None
        assert next(taken) < 1100
        answers.close()


def test_one_request_that_hangs_holds_no_other_up(chat: ChatServer, client: Opened) -> None:
    chat.tell(share=1, kinds=["stall"], stall=60, about="so 0", times=1)
    with client(concurrency=2, timeout=2) as one:
        answers = one.answers(ask(number) for number in range(100))
        assert next(answers) is not None
        assert sum(chat.answered().values()) == 100
        answers.close()


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_what_is_refused_is_not_asked_again_and_the_rest_goes_on(
    status: str, chat: ChatServer, client: Opened
) -> None:
    chat.tell(share=1, kinds=[status], about="so 3")
    with client() as one:
        answers = list(one.answers(ask(number) for number in range(6)))
    assert [answer is None for answer in answers] == [number == 3 for number in range(6)]
    assert chat.counts() == {"answered": 5, status: 1}
    assert one.tally.unanswered == 1


@pytest.mark.parametrize("status", ["301", "401", "403", "404"])
def test_a_wrong_command_ends_at_once_in_a_line_without_the_key(
    status: str, chat: ChatServer, client: Opened
) -> None:
    chat.tell(share=1, kinds=[status])
    with client(concurrency=1) as one, pytest.raises(JobError, match=status) as caught:
        list(one.answers(ask(number) for number in range(6)))
    assert chat.counts() == {status: 1}
    assert KEY not in f"{caught.value!r} {one!r}"
    assert caught.value.__cause__ is None


def test_a_server_that_refuses_all_ends_the_job(chat: ChatServer, client: Opened) -> None:
    chat.tell(share=1, kinds=["400"])
    with client() as one, pytest.raises(JobError, match="mend the command"):
        list(one.answers(ask(number) for number in range(100)))


def test_a_quota_that_is_used_up_is_no_reason_to_wait(chat: ChatServer, client: Opened) -> None:
    chat.tell(share=1, kinds=["429"], retry_after=0, code="insufficient_quota")
    with client(concurrency=1) as one, pytest.raises(JobError, match="429"):
        list(one.answers([ask(0)]))
    assert chat.counts() == {"429": 1}


def test_the_server_says_how_long_to_wait(chat: ChatServer, client: Opened) -> None:
    chat.tell(share=1, kinds=["429"], retry_after=0.3, times=1)
    began = time.monotonic()
    with client() as one:
        assert list(one.answers([ask(0)]))
    assert time.monotonic() - began > 0.3


def test_one_question_that_always_fails_is_left_and_a_server_that_always_does_ends_the_job(
    chat: ChatServer, client: Opened
) -> None:
    chat.tell(share=1, kinds=["500"], about="so 3", delay=0.05)
    with client(concurrency=2) as one:
        answers = list(one.answers(ask(number) for number in range(30)))
    assert [number for number, answer in enumerate(answers) if answer is None] == [3]
    chat.tell(share=1, kinds=["500"])
    with client() as one, pytest.raises(JobError, match="see to the server"):
        list(one.answers(ask(number) for number in range(100)))


def test_a_server_that_is_not_there_is_told_soon(client: Opened) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with client(url=url) as one, pytest.raises(JobError, match="cannot be reached"):
            list(one.answers([ask(0)]))


@pytest.mark.parametrize("kinds", [[], STORM])
def test_a_budget_is_kept_and_all_that_was_answered_too(
    kinds: list[str], chat: ChatServer, client: Opened
) -> None:
    chat.tell(share=0.2 * bool(kinds), kinds=kinds, stall=2, retry_after=0)
    budget = Budget(tokens=1000, dollars=1, price_in=1, price_out=1)
    with client(timeout=1, budget=budget) as one, pytest.raises(BudgetError, match="1,000"):
        list(one.answers(ask(number) for number in range(150)))
    spent = sum(sum(row["usage"].values()) for row in chat.log() if "usage" in row)
    assert 0 < spent <= 1000
    if not kinds:
        # The last may have been one token too much.
        assert spent > 1000 - ask(149).most_tokens - MOST
    done = sum(chat.answered().values())
    chat.tell()
    with client() as one:
        assert all(one.answers(ask(number) for number in range(150)))
    assert one.tally.kept == done
    assert sum(chat.counts().values()) == 150 - done


def test_no_key_is_written(client: Opened, tmp_path: Path) -> None:
    with client() as one:
        list(one.answers([ask(0, text=f"the key is {KEY}")]))
    rows = [
        json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()
    ]
    assert [next(iter(row)) for row in rows] == ["sent", "answer"]
    assert KEY not in (tmp_path / "answers.jsonl").read_text()
