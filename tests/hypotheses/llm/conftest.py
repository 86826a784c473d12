"""One server for all tests, and clients of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hypotheses.llm.chat_server import ChatServer
from wavemill.hypotheses.llm.asking import Patience
from wavemill.hypotheses.llm.base import Question
from wavemill.hypotheses.llm.client import Client
from wavemill.hypotheses.llm.journal import opened
from wavemill.hypotheses.llm.server import ChatServer as Model
from wavemill.hypotheses.llm.server import ServerConfig

QUICK = Patience(
    first_seconds=0.01, most_seconds=0.05, give_up_seconds=0.4, absent_seconds=0.1, least_tries=3
)
KEY = "sk-open-sesame"
MOST = 8
"""Tokens of an answer."""
Opened = Callable[..., AbstractContextManager[Client]]


@pytest.fixture(scope="session")
def running_chat() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.stop()


@pytest.fixture
def chat(running_chat: ChatServer) -> ChatServer:
    """The server, without faults."""
    running_chat.tell()
    return running_chat


@pytest.fixture
def client(chat: ChatServer, tmp_path: Path) -> Opened:
    """Open a client of the server whose answers lie in one journal."""

    @contextmanager
    def open_client(url: str = chat.url, timeout: float = 5.0, **settings: Any) -> Iterator[Client]:
        config = ServerConfig(
            url=url, model="m", body={"max_tokens": MOST}, key=KEY, timeout_seconds=timeout
        )
        with opened(tmp_path / "answers.jsonl") as journal:
            yield Client(model=Model(config), journal=journal, patience=QUICK, **settings)

    return open_client


def ask(number: int, text: str = "he said") -> Question:
    """Make a question with two hypotheses."""
    return Question(messages=(("user", f"1. {text} {number}\n2. {text} so {number}"),))


def said(number: int, text: str = "he said") -> str:
    """What the server answers to it."""
    return f"{text} so {number}"
