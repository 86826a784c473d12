"""Hypotheses of texts by a language model: it writes them, and the error rate is kept by choice."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wavemill.digest import digest
from wavemill.hypotheses.checks import OPENINGS, Checks, bare, is_near
from wavemill.hypotheses.from_text import FromTextSettings, Text
from wavemill.hypotheses.llm.ask import AskSettings, spent
from wavemill.hypotheses.llm.base import Answer, ChatModel, Question
from wavemill.hypotheses.llm.opening import open_chat
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.prompt import MISHEARING_SLOTS, Prompt, load_prompt, quoted
from wavemill.hypotheses.records import Hypothesis
from wavemill.packages import require

MARKS = re.compile(r"^\s*(\d+[.)]|[-*])\s+")
CHECKS = Checks(furthest=0.6)


@dataclass(kw_only=True)
class LlmMishearing:
    """See `Drawing`.

    The first hypothesis of each text is that of all the model wrote, and the text itself, which
    brings the error rate so far nearest to the target. So it depends on the texts before it.
    """

    model: ChatModel
    prompt: Prompt
    ask: AskSettings
    settings: FromTextSettings
    normalizer: Normalizer
    spent: dict[str, Any] = field(default_factory=dict)
    """What the last `draw` came to, once it ended; see `llm.ask.spent`."""
    dropped: int = 0
    """Lines that were no mishearing: far from the text, or not about it."""
    _edits: int = 0
    _words: int = 0

    @property
    def facts(self) -> Mapping[str, Any]:
        """See `Drawing`."""
        return {
            "name": "language-model",
            "digest": digest([dict(self.model.content), self.prompt.digest]),
            "model": dict(self.model.content),
            "prompt": self.prompt.facts,
            "target": {"wer": self.settings.wer},
        }

    def prepare(self, pilot: Sequence[Text]) -> None:
        """Do nothing: there is nothing to tune."""

    def draw(self, texts: Iterable[Text]) -> Iterator[tuple[Text, tuple[Hypothesis, ...]]]:
        """See `Drawing`.

        Raises:
            BudgetError: the budget is used up; all that was answered is kept.
            JobError: the model cannot be asked, or leaves too much without an answer.

        """
        waiting: deque[Text] = deque()

        def questions() -> Iterator[Question]:
            for text in texts:
                waiting.append(text)
                values = {
                    "text": quoted(text.text),
                    "count": str(self.settings.count),
                    "language": quoted(text.language or "unknown"),
                }
                yield self.prompt.filled(values, number=self.settings.seed)

        with self.ask.client(self.model, self.prompt.digest) as client:
            for answer in client.answers(questions()):
                text = waiting.popleft()
                yield text, self._chosen(text, self._lines(answer, text))
            self.spent.update(spent(client))

    def _lines(self, answer: Answer | None, text: Text) -> list[str]:
        """Return what a model wrote that may have been heard for a text."""
        lines = answer.text.splitlines() if answer else []
        if answer and answer.is_cut:
            lines = lines[:-1]
        found = []
        for line in lines:
            said = bare(MARKS.sub("", line))
            heard = self.normalizer(said, text.language)
            is_talk = any(opening.match(said) for opening in OPENINGS.values())
            if heard and not is_talk and is_near(heard, [text.text], CHECKS):
                found.append(heard)
            elif said:
                self.dropped += 1
        return list(dict.fromkeys([text.text, *found]))

    def _chosen(self, text: Text, lines: Sequence[str]) -> tuple[Hypothesis, ...]:
        levenshtein = require("rapidfuzz.distance", "hypotheses", "choosing errors").Levenshtein
        said = text.text.split()
        self._words += len(said)
        edits = {line: levenshtein.distance(said, line.split()) for line in lines}
        wanted = self.settings.wer * self._words - self._edits
        first = min(lines, key=lambda line: (abs(edits[line] - wanted), edits[line], line))
        self._edits += edits[first]
        distances = {line: -levenshtein.normalized_distance(text.text, line) for line in lines}
        rest = sorted((line for line in lines if line != first), key=lambda line: -distances[line])
        kept = [first, *rest][: self.settings.count]
        # What is heard first is what spoke loudest, though others lie nearer.
        top = max(distances[line] for line in kept)
        return tuple(
            Hypothesis(
                text=line, score=round(top if line == first else distances[line], 6), raw=line
            )
            for line in kept
        )


def open_mishearing(
    ask: AskSettings, settings: FromTextSettings, normalizer: Normalizer
) -> LlmMishearing:
    """Open a language model that writes what may be misheard.

    Raises:
        UsageError: there is no such model or prompt.
        JobError: a server does not say which models it has.

    """
    return LlmMishearing(
        model=open_chat(ask.chat),
        prompt=load_prompt(ask.prompt, MISHEARING_SLOTS, 1),
        ask=ask,
        settings=settings,
        normalizer=normalizer,
    )
