"""All settings of asking a model, and the client that they describe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.llm.base import ChatModel
from wavemill.hypotheses.llm.budget import Budget
from wavemill.hypotheses.llm.client import Client
from wavemill.hypotheses.llm.journal import Journal, opened
from wavemill.hypotheses.llm.opening import ChatSettings

ANSWERS = "_answers"
"""Folder of the journals, in the folder that a command works on."""


@dataclass(frozen=True, kw_only=True)
class AskSettings:
    """Which model, what it is asked, within which limits, and where its answers are kept."""

    chat: ChatSettings
    prompt: str
    """A name or a file; see `load_prompt`."""
    answers: str
    """A folder on this machine."""
    budget: Budget = field(default_factory=Budget)
    concurrency: int = 8
    requests_a_minute: float | None = None
    tokens_a_minute: float | None = None
    most_unanswered: float = 0.05
    """Share of the questions that may stay without an answer."""

    @contextmanager
    def client(self, model: ChatModel, prompt: str) -> Iterator[Client]:
        """Open the journal of a model and a prompt, and give the client that asks.

        Args:
            model: that is asked.
            prompt: its digest.

        Raises:
            JobError: the journal is in use, or, at the end, too much stayed without an answer.

        """
        with opened(self.journal(model, prompt)) as journal:
            client = Client(
                model=model,
                journal=journal,
                budget=self.budget,
                concurrency=self.concurrency,
                requests_a_minute=self.requests_a_minute,
                tokens_a_minute=self.tokens_a_minute,
            )
            yield client
        tally = client.tally
        questions = tally.asked + tally.kept + tally.unanswered
        if tally.unanswered > self.most_unanswered * questions:
            raise JobError(
                f"{tally.unanswered:,} of {questions:,} questions have no answer, more than"
                f" --max-unanswered {self.most_unanswered:g} allows; the last: {tally.last_fault}"
            )

    def journal(self, model: ChatModel, prompt: str) -> Path:
        """Return where the answers of a model to a prompt are kept.

        Raises:
            UsageError: that is on no disk of this machine.

        """
        if not storage.is_local(self.answers):
            words = "give --cache FOLDER, on a disk of this machine"
            raise UsageError(f"answers cannot be kept in {self.answers}: {words}")
        name = f"{digest([dict(model.content), prompt])}.jsonl"
        return Path(storage.local_path(self.answers)).expanduser() / name


def spent(client: Client) -> dict[str, Any]:
    """Say what the questions came to, as plain JSON values."""
    journal: Journal = client.journal
    (prompt, completion), lost = journal.answered_tokens, journal.lost_tokens
    dollars = client.budget.cost(prompt + lost[0], completion + lost[1])
    return {
        "asked": client.tally.asked,
        "kept": client.tally.kept,
        "unanswered": client.tally.unanswered,
        "tries_again": client.tally.tries_again,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "lost_tokens": sum(lost),
        "dollars": round(dollars, 6),
    }
