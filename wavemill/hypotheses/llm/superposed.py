"""Several answers of a language model in this process for one forward pass a token.

See `wavemill.models.corrector.superposed`. Here it does without n-grams: those of the chat itself
made nearly all drafts the text that was asked about.
"""

from collections.abc import Sequence

from wavemill.hypotheses.llm.base import Answer, Question
from wavemill.hypotheses.llm.local import LocalChat, LocalConfig
from wavemill.models.corrector.language_model import prompt_tokens
from wavemill.models.corrector.superposed import Draft, SuperposedConfig, superposed

MORE = 16
"""Tokens that an answer may have beyond twice those of the text that is asked about."""


class SuperposedChat(LocalChat):
    """Answers with the first lines of several drafts, the best first, none twice."""

    def __init__(self, config: LocalConfig, drafts: int) -> None:
        """Load the model; see `LocalChat`. A temperature of 0 is the published one."""
        super().__init__(config)
        if config.temperature:
            self._how_drafted = SuperposedConfig(drafts=drafts, temperature=config.temperature)
        else:
            self._how_drafted = SuperposedConfig(drafts=drafts)
        self.batch = 1
        self.content = {**self.content, "superposed": vars(self._how_drafted)}

    def _answer(self, questions: Sequence[Question]) -> list[Answer]:
        with self._place.running():
            return [self._drafted(question) for question in questions]

    def _drafted(self, question: Question) -> Answer:
        prompt = prompt_tokens(self._tokenizer, question.messages)
        asked = self._tokenizer.encode(question.messages[-1][1], add_special_tokens=False)
        most = min(self.most_tokens, 2 * len(asked) + MORE)
        found = superposed(
            self._model,
            prompt,
            SuperposedConfig(**{**vars(self._how_drafted), "most_tokens": most}),
            end=self._tokenizer.eos_token_id,
        )
        lines = dict.fromkeys(self._line(draft) for draft in found if draft.is_whole)
        return Answer(
            text="\n".join(line for line in lines if line),
            is_cut=False,
            prompt_tokens=len(prompt),
            completion_tokens=sum(len(draft.tokens) for draft in found),
        )

    def _line(self, draft: Draft) -> str:
        text = self._tokenizer.decode(draft.tokens, skip_special_tokens=True).strip()
        return str(text).partition("\n")[0].strip()
