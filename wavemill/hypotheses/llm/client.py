"""Ask a model many questions: at once, again where it faltered, and none that it has answered."""

import asyncio
import collections
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from wavemill.hypotheses.llm.asking import Asking, Patience, Tally
from wavemill.hypotheses.llm.base import Answer, ChatModel, Question
from wavemill.hypotheses.llm.budget import Budget, Purse
from wavemill.hypotheses.llm.journal import Journal
from wavemill.hypotheses.llm.rates import Rates

AHEAD, LEAST_AHEAD = 8, 1024
"""Questions that are taken up before the first of them is answered: for each one asked at once, and
at least. While a request waits for a time-out of minutes, the others go on that long."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """Asks a model, within limits; the journal keeps all that it says."""

    model: ChatModel
    journal: Journal
    budget: Budget = field(default_factory=Budget)
    concurrency: int = 8
    requests_a_minute: float | None = None
    tokens_a_minute: float | None = None
    patience: Patience = field(default_factory=Patience)
    tally: Tally = field(default_factory=Tally)

    def answers(self, questions: Iterable[Question]) -> Generator[Answer | None, None, None]:
        """Yield the answers in the order of the questions, which are taken up as it goes.

        None stands for a question that the model does not take, or that failed too often while
        others did not. What is asked twice is answered once.

        Raises:
            BudgetError: the budget is used up; all that was answered is in the journal.
            JobError: the model cannot be asked, or answers nothing any more.

        """
        most = max(LEAST_AHEAD, AHEAD * self.concurrency * self.model.batch)
        with _running_loop() as loop:
            line = _Line(client=self, asking=self._asking(), loop=loop)
            try:
                for question in questions:
                    line.join(question)
                    if len(line.waiting) >= most:
                        yield line.leave()
                while line.waiting:
                    yield line.leave()
            finally:
                asyncio.run_coroutine_threadsafe(_end(self.model), loop).result()

    def _asking(self) -> Asking:
        return Asking(
            model=self.model,
            journal=self.journal,
            purse=Purse(self.budget, self.journal),
            rates=Rates(self.requests_a_minute, self.tokens_a_minute),
            places=asyncio.Semaphore(self.concurrency),
            patience=self.patience,
            tally=self.tally,
        )


Answered = Future[Answer | None]


@dataclass(kw_only=True)
class _Line:
    """Questions that wait for their turn to be given, each with its answer or on its way to it."""

    client: Client
    asking: Asking
    loop: asyncio.AbstractEventLoop
    waiting: collections.deque[Answered] = field(default_factory=collections.deque)
    _group: list[tuple[Question, Answered]] = field(default_factory=list)
    """Not sent yet: a model may take several at once."""
    _known: dict[str, Answered] = field(default_factory=dict)

    def join(self, question: Question) -> None:
        """Take a question up."""
        client = self.client
        key = question.key(client.model.content)
        future = self._known.get(key)
        if future is None or future.done():
            future = self._known[key] = Future()
            if (answer := client.journal.get(key)) is not None:
                client.tally.kept += 1
                future.set_result(answer)
            else:
                self._group.append((question, future))
        self.waiting.append(future)
        if len(self._group) >= client.model.batch:
            self._send()

    def leave(self) -> Answer | None:
        """Return the answer to the question that waits longest, once it is there."""
        self._send()
        if len(self._known) > 2 * len(self.waiting) + AHEAD:
            self._known = {key: one for key, one in self._known.items() if not one.done()}
        return self.waiting.popleft().result()

    def _send(self) -> None:
        if self._group:
            questions, futures = zip(*self._group, strict=True)
            asyncio.run_coroutine_threadsafe(self.asking.settle(questions, futures), self.loop)
            self._group.clear()


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread: callers may have a loop of their own, as notebooks do."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(model: ChatModel) -> None:
    """Drop what is still asked, then the connections."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await model.close()
