"""Correction by a language model that is asked: a prompt, a client, and checks of what it says."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wavemill.hypotheses.checks import Checks, Normalize, check
from wavemill.hypotheses.llm.ask import AskSettings, spent
from wavemill.hypotheses.llm.base import ChatModel, Question
from wavemill.hypotheses.llm.client import Client
from wavemill.hypotheses.llm.journal import read
from wavemill.hypotheses.llm.opening import open_chat
from wavemill.hypotheses.prompt import CORRECTION_SLOTS, Prompt, load_prompt
from wavemill.hypotheses.records import Correction, Utterance


@dataclass(frozen=True, kw_only=True)
class LlmCorrector:
    """Asks about each utterance by itself: what is said in one has no way to another."""

    model: ChatModel
    prompt: Prompt
    ask: AskSettings
    normalize: Normalize
    checks: Checks = field(default_factory=Checks)
    spent: dict[str, Any] = field(default_factory=dict)
    """What the last `correct` came to, once it ended; see `llm.ask.spent`."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What corrects; see `Corrector`."""
        return {
            "by": "language model",
            "model": dict(self.model.content),
            "prompt": self.prompt.facts,
            "checks": vars(self.checks),
        }

    def correct(self, utterances: Iterable[Utterance]) -> Iterator[Correction]:
        """Yield a correction of each utterance, in their order.

        Raises:
            BudgetError: the budget is used up; all that was answered is kept.
            JobError: the model cannot be asked, or leaves too much without an answer.

        """
        with self.ask.client(self.model, self.prompt.digest) as client:
            yield from self._correct(utterances, client)
            self.spent.update(spent(client))

    def forecast(self, utterances: Iterable[Utterance]) -> dict[str, Any]:
        """Say what `correct` would ask, without asking."""
        path = self.ask.journal(self.model, self.prompt.digest)
        kept = read(path)
        questions = [self.prompt.about(one) for one in utterances if one.hypotheses]
        keys = {question.key(self.model.content): question for question in questions}
        left = [question for key, question in keys.items() if key not in kept]
        prompt = sum(question.most_tokens for question in left)
        completion = self.model.most_tokens * len(left)
        return {
            "questions": len(keys),
            "to_ask": len(left),
            "most_tokens": prompt + completion,
            "most_dollars": round(self.ask.budget.cost(prompt, completion), 6),
            "example": list(questions[0].messages) if questions else [],
        }

    def _correct(self, utterances: Iterable[Utterance], client: Client) -> Iterator[Correction]:
        waiting: deque[Utterance] = deque()

        def questions() -> Iterator[Question]:
            for utterance in utterances:
                waiting.append(utterance)
                if utterance.hypotheses:
                    yield self.prompt.about(utterance)

        for answer in client.answers(questions()):
            yield from _silent(waiting)
            yield check(answer, waiting.popleft(), self.normalize, self.checks)
        yield from _silent(waiting)


def _silent(waiting: deque[Utterance]) -> Iterator[Correction]:
    """Yield the next utterances as they are, as long as nothing was heard in them."""
    while waiting and not waiting[0].hypotheses:
        yield Correction(id=waiting.popleft().id, text="")


def open_llm(ask: AskSettings, normalize: Normalize) -> LlmCorrector:
    """Open a language model that corrects.

    Raises:
        UsageError: there is no such model or prompt.
        JobError: a server does not say which models it has.

    """
    prompt = load_prompt(ask.prompt, CORRECTION_SLOTS, 2)
    return LlmCorrector(model=open_chat(ask.chat), prompt=prompt, ask=ask, normalize=normalize)
