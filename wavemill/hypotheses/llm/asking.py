"""Ask until there is an answer: what becomes of one question, in the event loop."""

import asyncio
import random
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from wavemill.errors import JobError
from wavemill.hypotheses.llm.base import FATAL, PASSES, Answer, ChatModel, FaultError, Question
from wavemill.hypotheses.llm.budget import Purse
from wavemill.hypotheses.llm.journal import Journal
from wavemill.hypotheses.llm.rates import Rates

REFUSED_AT_FIRST = 10
"""Refusals before the first answer, after which it is the command that is wrong."""
LONGEST_WAIT_SECONDS = 900.0
"""That a server may ask for; a longer one is for the user to decide on."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a question is asked again."""

    first_seconds: float = 0.5
    """The pause before the second try, about; each further one is twice as long."""
    most_seconds: float = 30.0
    """The longest pause that is not asked for by the server."""
    least_tries: int = 5
    give_up_seconds: float = 180.0
    """After which no further try begins, if there were `least_tries`."""
    absent_seconds: float = 8.0
    """The same, of a server that never was reached."""

    def pause(self, tries: int) -> float:
        """Return the seconds to wait after so many tries."""
        pause = min(self.most_seconds, self.first_seconds * 2.0 ** (tries - 1))
        return pause * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


@dataclass(kw_only=True)
class Tally:
    """What became of the questions so far."""

    asked: int = 0
    """Answered by the model."""
    kept: int = 0
    """Answered before, by the journal."""
    unanswered: int = 0
    tries_again: int = 0
    last_fault: str = ""


@dataclass(kw_only=True)
class Asking:
    """What all questions to a model share."""

    model: ChatModel
    journal: Journal
    purse: Purse
    rates: Rates
    places: asyncio.Semaphore
    patience: Patience
    tally: Tally
    answered_at: float = 0.0
    refused: JobError | None = None
    """Why no question can be answered: those that wait are not sent."""

    async def settle(
        self, questions: Sequence[Question], futures: Sequence[Future[Answer | None]]
    ) -> None:
        """Ask questions together, and give their futures what came of it."""
        try:
            answers = await self._insist(questions)
        except FaultError as fault:
            self.tally.unanswered += len(futures)
            self.tally.last_fault = fault.words
            for future in futures:
                future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is for who waits for the answer
            for future in futures:
                future.set_exception(error)
        else:
            self.tally.asked += len(futures)
            for future, answer in zip(futures, answers, strict=True):
                future.set_result(answer)

    async def _insist(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask until there is an answer.

        Raises:
            FaultError: these questions cannot be answered; others may be.
            JobError: no question can be.

        """
        began, tries = time.monotonic(), 0
        while True:
            try:
                return await self._try(questions)
            except FaultError as fault:
                tries += 1
                pause = max(fault.wait_seconds, self.patience.pause(tries))
                self._check(fault, tries, began, pause)
            self.tally.tries_again += 1
            await asyncio.sleep(pause)

    def _check(self, fault: FaultError, tries: int, began: float, pause: float) -> None:
        """Raise a fault after which the same question is not asked again."""
        patience = self.patience
        if fault.kind == FATAL or fault.wait_seconds > LONGEST_WAIT_SECONDS:
            self.refused = JobError(f"{fault}; mend that, and the same command goes on")
            raise self.refused from None
        if fault.kind != PASSES:
            if not self.answered_at and self.tally.unanswered + 1 >= REFUSED_AT_FIRST:
                words = f"{fault}; so were the first {REFUSED_AT_FIRST} questions answered"
                raise JobError(f"{words}: mend the command") from None
            raise fault
        if fault.wait_seconds:
            self.rates.hold(fault.wait_seconds)
        is_absent = not (fault.is_connected or self.answered_at)
        limit = patience.absent_seconds if is_absent else patience.give_up_seconds
        least = 1 if is_absent else patience.least_tries
        if tries >= least and time.monotonic() + pause - began > limit:
            if self.answered_at < began:
                words = f"{fault}; tried {tries} times, and no other question was answered"
                raise JobError(f"{words}: see to the server, and the same command goes on")
            raise fault

    async def _try(self, questions: Sequence[Question]) -> list[Answer]:
        keys = [question.key(self.model.content) for question in questions]
        prompts = [question.most_tokens for question in questions]
        most = sum(prompts), len(questions) * self.model.most_tokens
        async with self.places:
            if self.refused is not None:
                raise self.refused
            await self.purse.set_aside(*most)
            try:
                await self.rates.wait(len(questions), sum(most))
                for key, prompt in zip(keys, prompts, strict=True):
                    self.journal.sent(key, prompt, self.model.most_tokens)
                return await self._answers(questions, keys, sum(most))
            finally:
                await self.purse.give_back(*most)

    async def _answers(
        self, questions: Sequence[Question], keys: Sequence[str], most: int
    ) -> list[Answer]:
        try:
            answers = await self.model.answer(questions)
        except FaultError as fault:
            for key in keys:
                self.journal.failed(key, is_billed=fault.is_billed)
            if not fault.is_billed:
                self.rates.give_back(most)
            raise
        for key, answer in zip(keys, answers, strict=True):
            self.journal.answered(key, answer)
        self.answered_at = time.monotonic()
        used = sum(answer.prompt_tokens + answer.completion_tokens for answer in answers)
        self.rates.give_back(most - used)
        return answers
