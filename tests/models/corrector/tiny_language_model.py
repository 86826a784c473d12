"""A language model of random weights over some words, as transformers keeps it in a folder."""

from pathlib import Path
from typing import Any

import torch

TEXT = (
    "<end> <unknown> please enter add to your you're these number password extension code name"
    " language choice pin followed by the pound key he now after tone or press star start"
)
WORDS = TEXT.split()


def make_model() -> Any:
    """Make it."""
    import transformers

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=0,
    )
    return transformers.LlamaForCausalLM(config).eval()


def save_model(at: Path) -> Path:
    """Write it and a tokenizer."""
    import tokenizers
    import transformers

    words = {word: number for number, word in enumerate(WORDS)}
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unknown>"))
    library.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=library, eos_token="<end>", unk_token="<unknown>"
    ).save_pretrained(at)
    make_model().save_pretrained(at)
    return at
