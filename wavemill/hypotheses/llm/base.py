"""What is asked of a language model, what it answers, and what may go wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wavemill.digest import digest

PASSES = "passes"
"""A fault that may pass: the same question may be asked again."""
REFUSED = "refused"
"""The server will not take this question, whenever it is asked; it may take others."""
FATAL = "fatal"
"""Every question would fail so: a wrong key, address or name."""
PER_MESSAGE = 32
"""Tokens that a chat's template may put around a message, at most."""
PER_CHAT = 128
"""Those it may put before all messages, such as a system prompt of its own."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A chat that waits for its next message."""

    messages: tuple[tuple[str, str], ...]
    """Each a role (`system`, `user`, `assistant`) and a text."""
    number: int = 0
    """Tells apart what is asked more than once, to get several answers."""

    def key(self, model: Mapping[str, Any]) -> str:
        """Return the digest under which the answer of a model is kept."""
        return digest([dict(model), self.messages, self.number], size=16)

    @property
    def most_tokens(self) -> int:
        """How many tokens it may be: none is shorter than a byte."""
        lengths = (len(text.encode()) + PER_MESSAGE for _, text in self.messages)
        return sum(lengths) + PER_CHAT


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says."""

    text: str
    is_cut: bool = False
    """Whether it reached the most tokens it may have, and so is not whole."""
    prompt_tokens: int
    completion_tokens: int


class FaultError(Exception):
    """A question that was not answered."""

    def __init__(
        self,
        kind: str,
        words: str,
        *,
        wait_seconds: float = 0.0,
        is_billed: bool = False,
        is_connected: bool = True,
    ) -> None:
        """Keep what is known of it.

        Args:
            kind: PASSES, REFUSED or FATAL.
            words: for people; without secrets.
            wait_seconds: that the server asks to wait before the next try.
            is_billed: whether the server may have answered, and counted it, all the same.
            is_connected: whether it was reached.

        """
        super().__init__(words)
        self.kind, self.words, self.wait_seconds = kind, words, wait_seconds
        self.is_billed, self.is_connected = is_billed, is_connected


class ChatModel(Protocol):
    """A language model. It is used from one event loop alone."""

    content: Mapping[str, Any]
    """All of it that can change an answer, for digests: name, weights, settings."""
    batch: int
    """Questions that it is asked at once."""
    most_tokens: int
    """That an answer may have."""

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions, in their order.

        Raises:
            FaultError: they were not answered.

        """
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
