"""Causal language models of transformers, as they lie in folders, GGUF files and hubs."""

from pathlib import Path
from typing import Any

import torch

from wavemill.errors import UsageError
from wavemill.packages import require

GGUF = ".gguf"


def load_tokenizer(base: str) -> Any:
    """Load what cuts texts into a model's tokens.

    Raises:
        UsageError: there is none, or it knows no end of a text, or a package is missing.

    """
    tokenizer = _load(base, "AutoTokenizer", padding_side="left")
    if tokenizer.eos_token_id is None:
        raise UsageError(f"base={base}: its tokenizer has no token that ends a text; give another")
    return tokenizer


def load_language_model(base: str) -> Any:
    """Load a model with float32 weights; no code comes with it.

    On torch's device `meta` it has no weights to speak of, and none are read.

    Args:
        base: a folder with safetensors, a GGUF file, or a hub name.

    Raises:
        UsageError: there is no such model, or a package is missing.

    """
    if torch.get_default_device().type != "meta":
        return _load(base, "AutoModelForCausalLM", use_safetensors=True, dtype=torch.float32)
    transformers = require("transformers", "correct", "a language model")
    return transformers.AutoModelForCausalLM.from_config(_load(base, "AutoConfig"))


def _load(base: str, kind: str, **how: Any) -> Any:
    transformers = require("transformers", "correct", "a language model")
    where = base
    if base.endswith(GGUF):
        require("gguf", "correct", "a GGUF file")
        path = Path(base)
        where, how["gguf_file"] = str(path.parent), path.name
    try:
        return getattr(transformers, kind).from_pretrained(where, **how)
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())[:300]
        raise UsageError(f"base={base}: the language model cannot be loaded: {words}") from error


def prompt_tokens(tokenizer: Any, messages: tuple[tuple[str, str], ...]) -> list[int]:
    """Return the tokens of a chat up to where the answer begins.

    A model without a template of chats reads the messages as paragraphs.
    """
    if tokenizer.chat_template:
        chat = [{"role": role, "content": text} for role, text in messages]
        found = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)
        return list(found["input_ids"])
    text = "\n\n".join(text for _, text in messages) + "\n\n"
    return list(tokenizer.encode(text))
