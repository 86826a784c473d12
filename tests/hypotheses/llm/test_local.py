"""A model in this process answers as it does alone, whatever it is asked beside."""

import asyncio

import pytest

from tests.models.corrector.tiny_language_model import save_model
from wavemill.errors import UsageError
from wavemill.hypotheses.llm.base import Question
from wavemill.hypotheses.llm.local import LocalChat, LocalConfig
from wavemill.hypotheses.llm.opening import ChatSettings, open_chat
from wavemill.hypotheses.llm.superposed import SuperposedChat

pytest.importorskip("transformers")

QUESTIONS = [
    Question(messages=(("user", text),))
    for text in ("please enter your password", "now", "press the pound key after the tone")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_model(tmp_path_factory.mktemp("model")))


def test_a_batch_answers_as_each_alone(folder: str) -> None:
    model = LocalChat(LocalConfig(model=folder, most_tokens=6, batch=3))
    together = asyncio.run(model.answer(QUESTIONS))
    alone = [asyncio.run(model.answer([question]))[0] for question in QUESTIONS]
    assert together == alone
    assert [answer.prompt_tokens for answer in together] == [4, 1, 7]
    assert all(answer.completion_tokens <= 6 for answer in together)
    assert any(answer.text for answer in together)


def test_draws_come_from_the_seed(folder: str) -> None:
    texts = {
        seed: [
            answer.text
            for _ in range(2)
            for answer in asyncio.run(
                LocalChat(
                    LocalConfig(model=folder, most_tokens=6, temperature=5.0, seed=seed)
                ).answer(QUESTIONS)
            )
        ]
        for seed in (0, 1)
    }
    assert texts[0][:3] == texts[0][3:]
    assert texts[0] != texts[1]


def test_superposed_answers_are_different_lines_and_each_text_has_its_own(folder: str) -> None:
    config = LocalConfig(model=folder, most_tokens=40, temperature=1.0)
    model = SuperposedChat(config, drafts=4)
    together = asyncio.run(model.answer(QUESTIONS))
    assert together == [asyncio.run(model.answer([question]))[0] for question in QUESTIONS]
    for answer in together:
        lines = answer.text.splitlines()
        assert len(set(lines)) == len(lines) <= 4
    assert any(len(answer.text.splitlines()) > 1 for answer in together)
    assert model.content != LocalChat(config).content


def test_a_server_writes_no_superposed_answers() -> None:
    with pytest.raises(UsageError, match="--superposed is for a model in this process"):
        open_chat(ChatSettings(model="http://localhost:1/v1#m", superposed=5))
