"""A causal model's texts have the product of their tokens' probabilities, however batched."""

from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from wavemill.hypotheses.rescoring.causal import CausalModel

VOCABULARY = ["</s>", "a", "cat", "sat", "the"]


@pytest.fixture(scope="module")
def model() -> Any:
    """One that has learnt nothing."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=5, n_positions=16, n_embd=8, n_layer=2, n_head=2)
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(VOCABULARY)}))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>")


@torch.inference_mode()
def one_by_one(model: Any, ids: list[int]) -> float:
    total = 0.0
    for end in range(1, len(ids)):
        logits = model(input_ids=torch.tensor([ids[:end]])).logits[0, -1]
        total += float(logits.log_softmax(0)[ids[end]])
    return total


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_text_has_the_product_of_its_tokens(model: Any, tokenizer: Any, batch_size: int) -> None:
    texts = ["the cat sat", "a", "", "the cat sat a cat"]
    found = CausalModel(model, tokenizer, "tiny", batch_size).log_probabilities(texts)
    expected = [
        one_by_one(model, [0, *(VOCABULARY.index(word) for word in text.split()), 0])
        for text in texts
    ]
    assert found == pytest.approx(expected, rel=1e-4)


def test_all_texts_of_a_word_have_one_with_what_does_not_end_there(
    model: Any, tokenizer: Any
) -> None:
    causal = CausalModel(model, tokenizer, "tiny", 8)
    ended = sum(torch.tensor(causal.log_probabilities(["", *VOCABULARY[1:]])).exp())
    assert 0 < float(ended) < 1
    assert causal.facts == {"model": "tiny", "parameters": model.num_parameters()}
