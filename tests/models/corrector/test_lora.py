"""A language model that becomes a corrector."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from tests.models.corrector.misheard import utterances
from tests.models.corrector.tiny_language_model import save_model
from wavemill.errors import UsageError
from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.records import Utterance
from wavemill.models.corrector.lora import ADAPTER, ADAPTER_CONFIG, Lora, LoraModel
from wavemill.models.corrector.settings import LORA, CorrectorConfig

pytest.importorskip("peft")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


def _batch(some: list[Utterance]) -> HypothesesBatch:
    return HypothesesBatch(
        keys=[one.id for one in some], datasets=torch.zeros(len(some)), utterances=some
    )


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Lora:
    base = save_model(tmp_path_factory.mktemp("base"))
    return Lora(CorrectorConfig(model=LORA, base=str(base), beam=2, rank=4, dropout=0.0))


@pytest.fixture(scope="module")
def model(kind: Lora) -> LoraModel:
    torch.manual_seed(0)
    built = kind.build()
    assert isinstance(built, LoraModel)
    return built.eval()


def test_all_that_is_kept_and_trained_is_the_change(kind: Lora, model: LoraModel) -> None:
    state = model.state_dict()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert set(state) == trained
    assert all("lora_" in name for name in trained)
    assert len(trained) == 2 * 4 * 2  # two matrices, four projections, two layers
    again = kind.build()
    assert not again.load_state_dict(state).missing_keys
    with pytest.raises(RuntimeError, match="Missing key"):
        again.load_state_dict(dict(list(state.items())[1:]))


def test_only_the_answer_is_learnt_and_padding_changes_nothing(
    kind: Lora, model: LoraModel
) -> None:
    some = utterances()[::9]
    together = kind.loss(model, _batch(some))
    alone = [kind.loss(model, _batch([one])) for one in some]
    assert int(together.count) == sum(len((one.reference or "").split()) + 1 for one in some)
    torch.testing.assert_close(
        together.total, torch.stack([one.total for one in alone]).sum(), rtol=1e-4, atol=1e-4
    )


def test_what_is_too_long_is_not_learnt(kind: Lora, model: LoraModel) -> None:
    short = Lora(dataclasses.replace(kind.config, most_tokens=20))
    assert int(short.loss(model, _batch(utterances()[:2])).count) == 0


def test_it_can_be_held_to_words_that_were_heard(kind: Lora, model: LoraModel) -> None:
    some = utterances()[::9]
    texts = kind.correct(model, some, only_heard=True)
    assert any(texts)
    for one, text in zip(some, texts, strict=True):
        assert set(text.split()) <= {word for heard in one.texts for word in heard.split()}


def test_peft_reads_what_is_exported(kind: Lora, model: LoraModel, tmp_path: Path) -> None:
    import peft
    import transformers

    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)
    for name, content in kind.export(model).items():
        (tmp_path / name).write_bytes(content)
    assert json.loads((tmp_path / ADAPTER_CONFIG).read_text())["r"] == 4
    assert (tmp_path / ADAPTER).exists()
    assert kind.config.base is not None
    base = transformers.AutoModelForCausalLM.from_pretrained(kind.config.base)
    read = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    ids = torch.tensor([[2, 3, 6]])
    ours = model(ids, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(read(input_ids=ids).logits, ours, rtol=1e-4, atol=1e-4)


def test_without_a_language_model_it_says_what_to_give() -> None:
    with pytest.raises(UsageError, match="--set base=FOLDER"):
        Lora(CorrectorConfig(model=LORA))
